"""A call of a method of equipment: checked, sent to control as a request, answered with what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from asyncua import ua
from asyncua.crypto.permission_rules import User
from asyncua.server.internal_session import InternalSession

from scada.access import at_least
from scada.client import Client, Outcome
from scada.opcua.calls import arguments, refused, wrong_arguments
from scada.opcua.equipment import methods
from scada.opcua.equipment.methods import NUMBER, Argument, Method
from scada.opcua.equipment.model import Equipment, Item
from scada.opcua.nodes.ids import MARK, path_of
from scada.opcua.security.access import Access, Permission
from scada.opcua.security.caller import Caller
from scada.opcua.table import Table
from scada.opcua.writes import shown
from scada.requests.message import WRITE

_STATUS: Final[dict[str, int]] = {
    "confirmed": ua.StatusCodes.Good,
    "rejected": ua.StatusCodes.BadInvalidState,
    "timed out": ua.StatusCodes.BadTimeout,
    "mismatched": ua.StatusCodes.BadDeviceFailure,
    "superseded": ua.StatusCodes.BadRequestInterrupted,
}
_ROLE: Final = "takes the role"
_KINDS: Final = {NUMBER: ua.VariantType.Double}


class EquipmentCalls:
    """The methods of equipment (`scada.opcua.calls.Source`).

    Args:
        equipment: Of the site.
        client: The plant.
        access: Gives who may call; None for the roles of the methods alone.
        table: The tags as clients read them.
    """

    def __init__(
        self, equipment: Equipment, client: Client, access: Callable[[], Access | None], table: Table
    ) -> None:
        self._equipment, self._client, self._access, self._table = equipment, client, access, table

    def executable(self, caller: User | None, item: Item, method: Method) -> bool:
        """Whether a caller may call a method of an object: UserExecutable."""
        return self._refusal(caller, item, method) == 0

    async def call(
        self, session: InternalSession | None, request: ua.CallMethodRequest
    ) -> ua.CallMethodResult | None:
        """Does it, if the method is one of equipment."""
        item = self._equipment.items.get(path_of(request.ObjectId) or "")
        method = self._method(item, path_of(request.MethodId)) if item is not None else None
        if item is None or method is None:
            return None
        caller = session.user if session is not None else None
        code = self._refusal(caller, item, method)
        if code or not isinstance(caller, Caller):
            return refused(code or ua.StatusCodes.BadUserAccessDenied)
        types = [_KINDS.get(argument.kind, ua.VariantType.String) for argument in method.inputs]
        given, wrong = arguments(request.InputArguments, types)
        if wrong is not None:
            return wrong
        named, fits = methods.values(method, given, self._equipment.tags)
        if not all(fits):
            return wrong_arguments(
                [ua.StatusCodes.Good if fit else ua.StatusCodes.BadOutOfRange for fit in fits]
            )
        return answer(await self._ask(method, named, caller))

    async def _ask(self, method: Method, named: dict[Argument, Any], caller: Caller) -> Outcome:
        part = "" if method.part is None else f"/{named[method.part]}"
        items = [
            (f"{path}{part}", named[value] if isinstance(value, Argument) else value)
            for path, value in method.items
        ]
        rows = self._table.row_of
        before = {path: self._table.version(rows[path]) for path, _ in items if path in rows}
        outcome = await self._client.arequest(
            method.kind,
            items,
            str(named[method.reason]) if method.reason is not None else "",
            for_s=float(named[method.seconds]) if method.seconds is not None else None,
            user=caller.name,
            role=caller.site_role,
        )
        if outcome.ok:
            for path, value in outcome.items:
                if path in before:
                    await shown(self._table, rows[path], value, before[path])
        return outcome

    def _refusal(self, caller: User | None, item: Item, method: Method) -> int:
        if not isinstance(caller, Caller) or caller.name is None:
            return int(ua.StatusCodes.BadUserAccessDenied)
        access = self._access()
        if access is not None:
            if code := access.refusal(caller, f"{item.path}{MARK}{method.name}", Permission.CALL):
                return code
            for path, _ in method.items if method.kind == WRITE else ():
                if code := access.refusal(caller, path, Permission.WRITE):
                    return code  # a method is no way around the rules of what it writes
        return 0 if at_least(caller.site_role, method.role) else int(ua.StatusCodes.BadUserAccessDenied)

    def _method(self, item: Item, method: str | None) -> Method | None:
        """By the NodeId of the object's own method, or of that of its type (OPC 10000-4 §5.12.2.2)."""
        owner, _, name = (method or "").rpartition(MARK)
        found = item.methods.get(name)
        if found is None or owner == item.path:
            return found
        kinds = self._equipment.lineage(item.kind)
        return found if any(kind.id == owner and name in kind.methods for kind in kinds) else None


def answer(outcome: Outcome) -> ua.CallMethodResult:
    """The result of a call by the outcome of its request; the reasons are output arguments whatever the status."""
    result = refused(status_of(outcome))
    result.OutputArguments = [
        ua.Variant(outcome.status, ua.VariantType.String),
        ua.Variant(list(outcome.reasons), ua.VariantType.String, is_array=True),
    ]
    return result


def status_of(outcome: Outcome) -> int:
    """The operation's status code."""
    if outcome.status == "rejected" and any(_ROLE in reason for reason in outcome.reasons):
        return int(ua.StatusCodes.BadUserAccessDenied)
    return int(_STATUS.get(outcome.status, ua.StatusCodes.BadInternalError))
