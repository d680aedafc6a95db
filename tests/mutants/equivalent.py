"""Mutants that change nothing a test could see, each with the reason: they are not tried.

Only what was looked at stands here. A mutant is named by its file, its function and its text, not by its line; one
that is named here and is no more is told at the start of a run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tests.mutants.mutate import Mutant

_SPEED: Final = "how much is done at once, or how soon: the bits that come out are the same"
EQUIVALENT: Final[dict[tuple[str, str, str], str]] = {
    ("scada/scan/checkpoint.py", "", "40  ->  41"): _SPEED,
    ("scada/scan/columns.py", "", "16  ->  17"): _SPEED,
    ("scada/scan/columns.py", "", "32  ->  33"): _SPEED,
    (
        "scada/scan/columns.py",
        "Columns.__init__",
        "False  ->  True",
    ): "lists are made again that are right already",
    (
        "scada/scan/hold_columns.py",
        "HoldColumns.__init__",
        "1  ->  2",
    ): "number of no version: the first is another",
    ("scada/scan/record.py", "", "16  ->  17"): _SPEED,
    ("scada/scan/record.py", "raw", "1  ->  2"): "numpy takes any negative length for the one to be found",
    ("scada/scan/hold_columns.py", "HoldColumns.take", "plan.remote < 0  ->  plan.remote <= 0"): (
        "slot 0 is a tag of control: such a selector is not plain, see `fits`"
    ),
    ("scada/scan/program.py", "_nothing", "False  ->  True"): "never asked: blocks of a sketch do not run",
    ("scada/scan/program.py", "_nothing", "0  ->  1"): "never asked: blocks of a sketch do not run",
    ("scada/scan/rerun.py", "Rerun.__init__", "1  ->  2"): "any negative number says that there is none",
    (
        "scada/scan/columns.py",
        "Columns.__init__",
        "self._outputs_stale = False  ->  self._outputs_stale = None",
    ): "None is as false as False",
    (
        "scada/scan/replay.py",
        "Replay._part",
        "here and self.state is not None  ->  here or self.state is not None",
    ): "a state that is not of this scan is dropped in the next lines, and with it what it had come to",
}


def name(mutant: Mutant) -> tuple[str, str, str]:
    """What it is known by here."""
    return str(mutant.file), mutant.function, mutant.text


def unknown(every: Iterable[Mutant]) -> list[tuple[str, str, str]]:
    """Those named here that are not among `every`."""
    return sorted(EQUIVALENT.keys() - {name(mutant) for mutant in every})
