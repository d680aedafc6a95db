"""Writes docs/reference/opcua-conformance.md and the limits in opcua.md: `python -m tests.opcua.conformance.document`."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Final

from scada.opcua import limits
from scada.opcua.subscriptions.subscription import KEPT_BYTES, KEPT_BYTES_OF_ALL
from tests.opcua.conformance import cases
from tests.opcua.conformance.case import CASES
from tests.opcua.conformance.units import ELSEWHERE, FACETS, NOT_OFFERED, offered, units

assert cases
PATH: Final = Path(__file__).parents[3] / "docs" / "reference" / "opcua-conformance.md"
_HEAD: Final = """\
# Conformance units of the OPC UA server

The conformance units of OPC 10000-7 (version 1.04) of the Standard 2017 UA Server profile with all that it contains, and of the facets
for Data Access, events, auditing, methods, Alarms & Conditions and historical access. Each unit that is offered has at least one
test of what the server does and one of what it refuses. {cases} tests run twice: sent by asyncua's client and by node-opcua, over the
same wire to a running demo, and tshark finds no malformed OPC UA packet in what passed. Names in *italics* are optional in their facet.
{offered} of {all} units are offered; the last table says why the others are not.

This page is made from the tests (`python -m tests.opcua.conformance.document`); they are in `tests/opcua/conformance/cases` and
run with `make test-all`. It is our own list and not a certificate of the OPC Foundation.
"""


_LIMITS: Final = (
    ("nodes in a Read", limits.NODES_PER_READ), ("nodes in a Write", limits.NODES_PER_WRITE),
    ("methods in a Call", limits.NODES_PER_CALL), ("nodes in a Browse", limits.NODES_PER_BROWSE),
    ("nodes in a RegisterNodes", limits.NODES_PER_REGISTER),
    ("paths in a TranslateBrowsePathsToNodeIds", limits.PATHS_PER_TRANSLATE),
    ("monitored items in a call", limits.ITEMS_PER_CALL), ("nodes in a HistoryRead", limits.NODES_PER_HISTORY_READ),
    ("the same, of events", limits.NODES_PER_HISTORY_EVENTS),
    ("operations in a HistoryUpdate", limits.NODES_PER_HISTORY_UPDATE),
    ("values of a node in an answer to HistoryRead", limits.HISTORY_VALUES_PER_NODE),
    ("events in an answer to HistoryRead", limits.HISTORY_EVENTS_PER_NODE),
    ("continuation points of Browse, of a session", limits.BROWSE_CONTINUATION_POINTS),
    ("continuation points of HistoryRead, of a session", limits.HISTORY_CONTINUATION_POINTS),
    ("subscriptions of a session", limits.SUBSCRIPTIONS_PER_SESSION),
    ("monitored items of a session", limits.ITEMS_PER_SESSION),
    ("Publish requests of a session that wait", limits.PUBLISH_REQUESTS_PER_SESSION),
    ("queue of a monitored item", limits.QUEUE_PER_ITEM),
    ("messages of a subscription kept for Republish", limits.UNACKNOWLEDGED_PER_SUBSCRIPTION),
    ("bytes of these", KEPT_BYTES), ("bytes of these, of all subscriptions", KEPT_BYTES_OF_ALL),
    ("sessions", limits.SESSIONS),
    ("subscriptions", limits.SUBSCRIPTIONS), ("monitored items", limits.ITEMS),
    ("bytes of a request", limits.MESSAGE), ("elements of an array", limits.ARRAY),
    ("bytes of a string", limits.STRING),
)  # fmt: skip
REFERENCE: Final = PATH.with_name("opcua.md")
_HEADING: Final = "| limit | |\n|---|---:|\n"


def limits_table() -> str:
    """The table of limits in the reference."""
    return _HEADING + "".join(f"| {what} | {number:,} |\n" for what, number in _LIMITS)


def page() -> str:
    """The page as it has to be."""
    text = [_HEAD.format(cases=len(CASES), offered=len(offered()), all=len(units()))]
    for facet in FACETS:
        own = [unit for unit in facet.units if unit.name not in NOT_OFFERED]
        if not own:
            continue
        clause = f" (§{facet.clause})" if facet.clause else ""
        text.append(f"\n## {facet.name}{clause}\n\n| unit | does | refuses |\n|---|---|---|\n")
        for unit in own:
            name = f"*{unit.name}*" if unit.optional else unit.name
            does, refuses = (_names(unit.name, positive=kind) for kind in (True, False))
            text.append(f"| {name} | {does} | {refuses} |\n")
    text.append("\n## Not offered\n\n| unit | facet | why |\n|---|---|---|\n")
    text += [
        f"| {unit.name} | {facet.name} | {NOT_OFFERED[unit.name]} |\n"
        for facet in FACETS
        for unit in facet.units
        if unit.name in NOT_OFFERED
    ]
    return "".join(text)


def _names(unit: str, *, positive: bool) -> str:
    if unit in ELSEWHERE:
        return f"`{ELSEWHERE[unit][not positive]}`"
    return ", ".join(f"`{case.name}`" for case in CASES if unit in case.units and case.positive == positive)


if __name__ == "__main__":
    PATH.write_text(page())
    text = REFERENCE.read_text()
    before, _, rest = text.partition(_HEADING)
    after = itertools.dropwhile(lambda line: line.startswith("|"), rest.splitlines(keepends=True))
    REFERENCE.write_text(before + limits_table() + "".join(after))
