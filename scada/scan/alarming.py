"""What people ask of alarms made effective: acknowledged, confirmed, commented, shelved, suppressed, taken out of service, disabled."""

from __future__ import annotations

from scada import access
from scada.alarms import Order
from scada.blocks.base import Context
from scada.requests import Entry
from scada.scan.program import Program
from scada.scan.state import State


def ask(program: Program, state: State, entry: Entry, ctx: Context) -> list[str]:
    """Does a request for alarms; the reasons against it when there are any, and then does nothing."""
    request = entry.request
    refused = access.refusal(request.role, request.kind)
    if refused is not None:
        return [refused]
    reason = request.reason.strip() or None
    orders = [
        Order(
            kind=request.kind,
            user=request.user,
            source=request.source,
            role=request.role,
            comment=item.value if isinstance(item.value, str) else reason,
            for_ns=request.for_ns,
        )
        for item in entry.items
    ]
    reasons = [
        found
        for item, order in zip(entry.items, orders, strict=True)
        if (found := state.alarms.refusal(item.path, order)) is not None
    ]
    if reasons:
        return reasons
    for item, order in zip(entry.items, orders, strict=True):
        item.old = state.signals.value[program.index[item.path]]
        state.alarms.order(item.path, order, ctx)
        item.take("admit")
        item.take("apply")
    state.urgent = True
    return []
