"""Mutants that change nothing a test could see, each with the reason: they are not tried.

Only what was looked at stands here. A mutant is named by its file, its function and its text, not by its line; one
that is named here and is no more is told at the start of a run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tests.mutants.mutate import Mutant

EQUIVALENT: Final[dict[tuple[str, str, str], str]] = {}


def name(mutant: Mutant) -> tuple[str, str, str]:
    """What it is known by here."""
    return str(mutant.file), mutant.function, mutant.text


def unknown(every: Iterable[Mutant]) -> list[tuple[str, str, str]]:
    """Those named here that are not among `every`."""
    return sorted(EQUIVALENT.keys() - {name(mutant) for mutant in every})
