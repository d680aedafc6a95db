"""Methods of conditions: each is a request to control with its caller (OPC 10000-9 §5.5 to §5.8).

A client names the condition, or the ShelvingState of it, and the method of the type or of the instance's declaration:
they are the same nodes. What the condition's state forbids is told with the StatusCode of the standard; control looks
again, and has the last word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asyncua import ua
from asyncua.server.internal_session import InternalSession

from scada.access import refusal as role_refusal
from scada.alarms.state import BY_REQUEST, DISABLED, ONE_SHOT, OUT_OF_SERVICE, SHELVED, UNACKED, UNCONFIRMED
from scada.client import Client, Outcome
from scada.opcua.calls import arguments, refused
from scada.opcua.conditions.fields import PART, Kind, number_of
from scada.opcua.conditions.refresh import Refresh
from scada.opcua.conditions.state import Conditions
from scada.opcua.nodes.ids import MARK, path_of
from scada.opcua.security.caller import Caller
from scada.opcua.table import Table
from scada.opcua.writes import shown

S = ua.StatusCodes
V = ua.VariantType
TEXT_MAX: Final = 500
"""Characters of a comment; control keeps it with the alarm."""
_SHELVING: Final = f"{PART}/ShelvingState"
_EVENT: Final = (V.ByteString, V.LocalizedText)
_COMMENT: Final = (V.LocalizedText,)
_TYPES: Final = frozenset(
    ua.NodeId(getattr(ua.ObjectIds, name))
    for name in ("ConditionType", "AcknowledgeableConditionType", "AlarmConditionType", "ShelvedStateMachineType")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a condition.

    Attributes:
        name: In the standard.
        request: Kind of request to control.
        inputs: Types of its arguments.
    """

    name: str
    request: str
    inputs: tuple[ua.VariantType, ...] = ()


_OF_CONDITION: Final = {
    "ConditionType_Enable": Method("Enable", "enable"),
    "ConditionType_Disable": Method("Disable", "disable"),
    "ConditionType_AddComment": Method("AddComment", "comment", _EVENT),
    "AcknowledgeableConditionType_Acknowledge": Method("Acknowledge", "acknowledge", _EVENT),
    "AcknowledgeableConditionType_Confirm": Method("Confirm", "confirm", _EVENT),
    "AlarmConditionType_Suppress": Method("Suppress", "suppress"),
    "AlarmConditionType_Suppress2": Method("Suppress2", "suppress", _COMMENT),
    "AlarmConditionType_Unsuppress": Method("Unsuppress", "unsuppress"),
    "AlarmConditionType_Unsuppress2": Method("Unsuppress2", "unsuppress", _COMMENT),
    "AlarmConditionType_RemoveFromService": Method("RemoveFromService", "remove"),
    "AlarmConditionType_RemoveFromService2": Method("RemoveFromService2", "remove", _COMMENT),
    "AlarmConditionType_PlaceInService": Method("PlaceInService", "return"),
    "AlarmConditionType_PlaceInService2": Method("PlaceInService2", "return", _COMMENT),
}
_OF_SHELF: Final = {
    "TimedShelve": Method("TimedShelve", "shelve", (V.Double,)),
    "TimedShelve2": Method("TimedShelve2", "shelve", (V.Double, V.LocalizedText)),
    "OneShotShelve": Method("OneShotShelve", "shelve"),
    "OneShotShelve2": Method("OneShotShelve2", "shelve", _COMMENT),
    "Unshelve": Method("Unshelve", "unshelve"),
    "Unshelve2": Method("Unshelve2", "unshelve", _COMMENT),
}
METHODS: Final[dict[ua.NodeId, Method]] = {
    ua.NodeId(getattr(ua.ObjectIds, f"{prefix}{name}")): method
    for prefix, methods in (
        ("", _OF_CONDITION),
        ("ShelvedStateMachineType_", _OF_SHELF),
        ("AlarmConditionType_ShelvingState_", _OF_SHELF),
    )
    for name, method in methods.items()
}
"""All of them, by the node that a client names."""
_REFRESH: Final = ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh)
_REFRESH_2: Final = ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh2)
_ENDED: Final = {"timed out": S.BadTimeout, "mismatched": S.BadUnexpectedError}


class ConditionMethods:
    """Answers calls (`scada.opcua.calls.Source`).

    Args:
        conditions: Their state.
        client: The plant.
        refresh: ConditionRefresh.
        look: Follows the events of the plant up to now.
        permits: (caller, tag path) -> whether he may call; None for the ladder of roles alone.
        still: Whether a caller has the role yet that he signed in with.
        table: The tags; None waits for nothing.
    """

    def __init__(
        self,
        conditions: Conditions,
        client: Client,
        refresh: Refresh,
        look: Callable[[], object],
        permits: Callable[[Any, str], bool] | None = None,
        still: Callable[[Caller], bool] = lambda _: True,
        table: Table | None = None,
    ) -> None:
        self._conditions, self._client, self._refresh, self._look = conditions, client, refresh, look
        self._permits, self._still, self._table = permits, still, table

    async def call(
        self, session: InternalSession | None, request: ua.CallMethodRequest
    ) -> ua.CallMethodResult | None:
        """Calls a method of a condition, or ConditionRefresh; None for others."""
        if request.MethodId in (_REFRESH, _REFRESH_2):
            return await self._synchronise(session, request)
        method = METHODS.get(request.MethodId)
        found = self._of(request.ObjectId)
        if found is None:
            if method is None:
                return None
            known = request.ObjectId in _TYPES
            return refused(S.BadNodeIdInvalid if known else S.BadNodeIdUnknown)
        kind, on_shelf = found
        if method is None or (on_shelf and method.name not in _OF_SHELF):
            return refused(S.BadMethodInvalid)
        if (method.request in ("shelve", "unshelve") and not kind.alarm.shelve_max_ns) or (
            method.request == "confirm" and not kind.alarm.confirm
        ):
            return refused(S.BadMethodInvalid)
        values, wrong = arguments(request.InputArguments or [], method.inputs)
        if wrong is not None:
            return wrong
        return refused(await self._do(session, kind, method, values))

    def _of(self, node: ua.NodeId) -> tuple[Kind, bool] | None:
        """The condition that a node is, or whose ShelvingState it is."""
        alarm, _, part = (path_of(node) or "").partition(MARK)
        kind = self._conditions.kinds.get(alarm)
        if kind is None or part not in (PART, _SHELVING):
            return None
        return kind, part == _SHELVING

    async def _do(
        self, session: InternalSession | None, kind: Kind, method: Method, values: Sequence[Any]
    ) -> int:
        """Asks control; returns a StatusCode."""
        caller, path = getattr(session, "user", None), kind.alarm.path
        if not isinstance(caller, Caller) or caller.name is None or not self._still(caller):
            return S.BadUserAccessDenied
        if role_refusal(caller.site_role, method.request) or not (
            self._permits is None or self._permits(caller, kind.alarm.tag)
        ):
            return S.BadUserAccessDenied
        self._look()
        code, for_s = self.forbidden(kind, method, values)
        if code:
            return code
        comment = comment_of(values)
        row = None if self._table is None else self._table.row_of.get(path)
        before = 0 if self._table is None or row is None else self._table.version(row)
        outcome = await self._client.arequest(
            method.request,
            [(path, comment)],
            reason=comment or "",
            for_s=for_s,
            user=caller.name,
            role=caller.site_role,
        )
        if outcome.ok and self._table is not None and row is not None and method.request != "comment":
            await shown(self._table, row, None, before)
        self._look()
        return code_of(outcome)

    def forbidden(self, kind: Kind, method: Method, values: Sequence[Any]) -> tuple[int, float | None]:
        """Why the state of a condition forbids a method, as StatusCode; and how long to shelve, s."""
        path = kind.alarm.path
        bits = self._conditions.bits(path)
        if method.request == "enable":
            return (S.Good if bits & DISABLED else S.BadConditionAlreadyEnabled), None
        if bits & DISABLED:
            return (
                S.BadConditionAlreadyDisabled if method.request == "disable" else S.BadConditionDisabled
            ), None
        if method.inputs == _EVENT and not self._conditions.knows(path, number_of(values[0])):
            return S.BadEventIdUnknown, None
        wanted = _STATES.get(method.request)
        if wanted is not None:
            bit, must_be, code = wanted
            return (S.Good if bool(bits & bit) is must_be else code), None
        if method.request != "shelve":
            return S.Good, None
        if V.Double not in method.inputs:
            return (S.BadConditionAlreadyShelved if bits & ONE_SHOT else S.Good), None
        duration = float(values[0])
        if not 0 < duration <= kind.alarm.shelve_max_ns / 1e6:
            return S.BadShelvingTimeOutOfRange, None
        return (S.BadConditionAlreadyShelved if bits & SHELVED and not bits & ONE_SHOT else S.Good), (
            duration / 1000
        )

    async def _synchronise(
        self, session: InternalSession | None, request: ua.CallMethodRequest
    ) -> ua.CallMethodResult:
        """ConditionRefresh and ConditionRefresh2 (§5.5.7, §5.5.8)."""
        one_item = request.MethodId == _REFRESH_2
        values, wrong = arguments(request.InputArguments or [], (V.UInt32,) * (1 + one_item))
        if wrong is not None:
            return wrong
        self._look()
        return refused(await self._refresh(session, int(values[0]), int(values[1]) if one_item else None))


# State that a request needs, and what is said otherwise.
_STATES: Final[dict[str, tuple[int, bool, int]]] = {
    "acknowledge": (UNACKED, True, S.BadConditionBranchAlreadyAcked),
    "confirm": (UNCONFIRMED, True, S.BadConditionBranchAlreadyConfirmed),
    "unshelve": (SHELVED, True, S.BadConditionNotShelved),
    "suppress": (BY_REQUEST, False, S.BadInvalidState),
    "unsuppress": (BY_REQUEST, True, S.BadInvalidState),
    "remove": (OUT_OF_SERVICE, False, S.BadInvalidState),
    "return": (OUT_OF_SERVICE, True, S.BadInvalidState),
}


def comment_of(values: Sequence[Any]) -> str | None:
    """The comment among the arguments; None leaves the one that there is (§5.5.6: without text and locale)."""
    for value in values:
        if isinstance(value, ua.LocalizedText):
            if value.Text is None or (not value.Text and not value.Locale):
                return None
            return str(value.Text)[:TEXT_MAX]
    return None


def code_of(outcome: Outcome) -> int:
    """What a client is told of what control did."""
    if outcome.ok:
        return S.Good
    if outcome.status == "rejected" and any("takes the role" in reason for reason in outcome.reasons):
        return S.BadUserAccessDenied
    return _ENDED.get(outcome.status, S.BadInvalidState)
