"""The scan of the simulated control is the scan of the real one: the same calls in the same order, but for a list."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from scada.control.service import Loop
from scada.virtual.control import Control

ONLY_REAL = {
    "_fault": "mail that is no request has no sender to tell in virtual time",
    "bell": "nobody waits at a socket",
    "ring": "nobody waits at a socket",
    "samples": "the health of a real process",
    "ran": "measurement",
    "warning": "a log",
    "note": "the recording, which has tests of its own",
}
ONLY_VIRTUAL = {
    "_dies": "a death in the middle of a scan",
    "_published": "the judge listens",
    "_told": "the judge listens",
}
SAME = {
    "receive": "_received",
    "Inputs": "_with_versions",
    "_watch_clock": "abs",  # written out in the simulation
}
PLAIN = {"len", "min", "range", "str", "monotonic_ns", "utc_ns"}


def calls(function: Callable[..., Any], other: dict[str, str]) -> list[str]:
    """Names of what a function calls, in the order of the text, without what only this one has."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found.sort(key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))
    names = [
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "?")
        for node in found
    ]
    return [name for name in names if name not in other and name not in PLAIN]


def without_details(names: list[str]) -> list[str]:
    """`tell` is called for what is only told, too: once is enough."""
    return [name for n, name in enumerate(names) if n == 0 or name != names[n - 1]]


def test_both_scans_call_the_same_things_in_the_same_order() -> None:
    real = [SAME.get(name, name) for name in calls(Loop._scan, ONLY_REAL)]
    virtual = calls(Control._scan, ONLY_VIRTUAL)
    told = virtual.index("abs") + 1
    assert virtual[told] == "tell"  # of the clock, which the real one does in `_watch_clock`
    del virtual[told]
    assert without_details(real) == without_details(virtual), (
        "one scan changed: change the other, or say here why not"
    )


@pytest.mark.parametrize(("function", "table"), [(Loop._scan, ONLY_REAL), (Control._scan, ONLY_VIRTUAL)])
def test_the_lists_of_exceptions_are_true(function: Callable[..., Any], table: dict[str, str]) -> None:
    assert set(table) <= set(calls(function, {}))
