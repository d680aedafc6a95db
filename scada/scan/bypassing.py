"""Bypasses made effective: requested, put into the blocks, ended."""

from __future__ import annotations

from typing import Any, Final

from scada import access
from scada.blocks.base import Context
from scada.blocks.bypass import Bypassable, Permit
from scada.requests import Entry, Request
from scada.requests.message import BYPASS
from scada.scan.bypasses import Bypass
from scada.scan.state import State

_POINT: Final = "/BYPASSED"
_NS: Final = (("h", 3_600_000_000_000), ("min", 60_000_000_000), ("s", 1_000_000_000))


def bypass(state: State, entry: Entry, ctx: Context) -> list[str]:
    """Does a request to bypass, or to end bypasses; the reasons against it when there are any, and then does nothing."""
    request, table = entry.request, state.bypasses
    reasons: list[str] = []
    paths = [item.path.removesuffix(_POINT) for item in entry.items]
    for path in paths:
        permit = table.permits.get(path)
        if permit is None:
            reasons.append(f"{path} cannot be bypassed: the site declares no bypass: for it")
        elif request.kind == BYPASS:
            reasons += _refusals(request, path, permit)
        elif refusal := access.refusal(request.role, request.kind):
            reasons.append(refusal)
        elif path not in table.table:
            reasons.append(f"{path} is not bypassed")
    if len(set(paths)) < len(paths):
        reasons.append("the same is named twice")
    if reasons:
        return reasons
    for item, path in zip(entry.items, paths, strict=True):
        item.old, item.value = path in table.table, request.kind == BYPASS
        item.take("admit")
        if request.kind == BYPASS:
            made = Bypass(
                path=path,
                until_ns=ctx.tick.utc_ns + request.for_ns,
                user=request.user,
                reason=request.reason.strip(),
                since_ns=ctx.tick.utc_ns,
                for_ns=request.for_ns,
                ends_ns=state.elapsed_ns + request.for_ns,
            )
            table.table.pop(path, None)  # the order is that of their making
            table.table[path] = made
            _set(state, path, on=True)
            ctx.emit("bypass", action="bypassed", **made.to_json())
        else:
            _end(state, table.table.pop(path), ctx, "ended", by=request.user, why=request.reason)
        item.take("apply")
    state.urgent = True
    return []


def _refusals(request: Request, path: str, permit: Permit) -> list[str]:
    reasons = []
    if refusal := access.refusal(request.role, BYPASS):
        reasons.append(refusal)
    elif not access.at_least(request.role, permit.role):
        reasons.append(f"to bypass {path} takes the role {permit.role}; you are {request.role}")
    if not request.reason.strip():
        reasons.append(f"to bypass {path} takes a reason")
    if request.for_ns > permit.max_ns:
        reasons.append(f"{path} may be bypassed for {_text(permit.max_ns)} at most")
    return reasons


def _text(ns: int) -> str:
    for unit, size in _NS:
        if ns >= size:
            return f"{ns / size:g} {unit}"
    return f"{ns / 1e6:g} ms"


def _set(state: State, path: str, *, on: bool) -> None:
    permit = state.bypasses.permits[path]
    block = state.blocks[permit.block]
    if isinstance(block, Bypassable):
        block.bypass(permit.name, on=on)


def _end(state: State, over: Bypass, ctx: Context, action: str, **more: Any) -> None:
    _set(state, over.path, on=False)
    ctx.emit("bypass", action=action, **over.to_json(), **more)


def expire(state: State, ctx: Context) -> None:
    """Ends the bypasses whose time is over."""
    for over in state.bypasses.expire(state.elapsed_ns, ctx.tick.utc_ns):
        _end(state, over, ctx, "expired", by="", why="its time is over")
        state.urgent = True


def apply(state: State) -> None:
    """Tells the blocks what is bypassed, after the table was taken back."""
    for path in state.bypasses.table:
        _set(state, path, on=True)
