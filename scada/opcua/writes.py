"""Writes of clients become requests to control, one for each node, each with its own status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AddressSpace, AttributeService

from scada.client import Client, Outcome
from scada.opcua import limits, ranges
from scada.opcua.events.audit import Audit
from scada.opcua.nodes.ids import path_of
from scada.opcua.nodes.registered import Registered
from scada.opcua.security.access import Access, Permission
from scada.opcua.security.caller import Caller
from scada.opcua.table import Table
from scada.opcua.types import VARIANT
from tags.model import Tag
from tags.types import Value, coerce

if TYPE_CHECKING:
    from scada.opcua.wire.dispatch import Call

SHOWN_S: Final = 0.05
"""How long an answer waits at most until readers see what was written."""
_LOOK_S: Final = 0.002
_ATTRIBUTES: Final = frozenset(int(attribute) for attribute in ua.AttributeIds)
_STATUS: Final[dict[str, int]] = {
    "confirmed": ua.StatusCodes.Good,
    "rejected": ua.StatusCodes.BadUserAccessDenied,
    "timed out": ua.StatusCodes.BadTimeout,
    "mismatched": ua.StatusCodes.BadDeviceFailure,
    "superseded": ua.StatusCodes.BadInvalidState,
}
Code = int


class Writes(AttributeService):
    """Sends what a client writes to control and answers with what became of it.

    Args:
        aspace: asyncua's address space, for nodes that are not ours.
        client: The plant.
        table: What readers see.
        registered: Handles of sessions.
        still: Whether a caller has the role yet that he signed in with.
        access: Who may write what.
        audit: Takes each write, for the record; None for none.
    """

    def __init__(
        self,
        aspace: AddressSpace,
        client: Client,
        table: Table,
        registered: Registered,
        still: Callable[[Caller], bool],
        access: Access,
        audit: Audit | None = None,
    ) -> None:
        super().__init__(aspace)
        self._client = client
        self._table = table
        self._registered = registered
        self._still = still
        self._access = access
        self._audit = audit

    async def handle(self, call: Call) -> ua.WriteResponse:
        """Answers a decoded request.

        Raises:
            ServiceError: There is nothing to write, or too much.
        """
        nodes = call.params.NodesToWrite
        if not nodes:
            raise ServiceError(ua.StatusCodes.BadNothingToDo)
        if len(nodes) > limits.NODES_PER_WRITE:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        for item in nodes:
            item.NodeId = self._registered.resolve(call.session, item.NodeId)
        response = ua.WriteResponse()
        response.Results = await call.session.write(call.params)
        return response

    async def write(self, params: ua.WriteParameters, user: User | None = None) -> list[ua.StatusCode]:
        """One status for each node, in order (OPC 10000-4 §5.10.4).

        Server's own writes (asyncua keeps its clock node and the like that way) go to asyncua.
        """
        caller = user or User(role=UserRole.Admin)
        if caller.role == UserRole.Admin:
            return list(await super().write(params, caller))
        if len(params.NodesToWrite) > limits.NODES_PER_WRITE:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        codes = await asyncio.gather(*(self._told(item, caller) for item in params.NodesToWrite))
        return [ua.StatusCode(code) for code in codes]

    async def _told(self, item: ua.WriteValue, caller: User) -> Code:
        """As `_one`, for the record too."""
        if self._audit is None:
            return await self._one(item, caller)
        tag = self._tag(item.NodeId)
        old = None
        if tag is not None and item.AttributeId == ua.AttributeIds.Value:
            old = ua.Variant(self._client.sample(self._client.index[tag.path]).value, VARIANT[tag.type])
        code = await self._one(item, caller)
        new = item.Value.Value if item.Value is not None else None
        self._audit.write(code, item.NodeId, item.AttributeId, item.IndexRange, old, new)
        return code

    async def _one(self, item: ua.WriteValue, caller: User) -> Code:
        tag = self._tag(item.NodeId)
        node = self._aspace.get(item.NodeId)
        if node is None:
            return ua.StatusCodes.BadNodeIdUnknown
        if int(item.AttributeId) not in _ATTRIBUTES or item.AttributeId not in node.attributes:
            return ua.StatusCodes.BadAttributeIdInvalid
        if tag is None or item.AttributeId != ua.AttributeIds.Value or not tag.writable:
            return ua.StatusCodes.BadNotWritable
        if denied := self._access.refusal(caller, tag.path, Permission.WRITE):
            return denied
        if not isinstance(caller, Caller) or not self._still(
            caller
        ):  # somebody has taken the role away since
            return ua.StatusCodes.BadUserAccessDenied
        if item.IndexRange:
            return _refused_part(item.IndexRange)
        value, problem = wanted_value(tag, item.Value)
        if problem:
            return problem
        row = self._table.row_of[tag.path]
        before = self._table.version(row)
        outcome = await self._client.arequest(
            "write", [(tag.path, value)], user=caller.name, role=caller.site_role
        )
        if outcome.status == "confirmed":
            await shown(self._table, row, value, before)
        return status_of(outcome)

    def _tag(self, node: ua.NodeId) -> Tag | None:
        path = path_of(node)
        return None if path is None else self._client.tags.get(path)


def _refused_part(text: str) -> Code:
    """Why a part of a value cannot be written (OPC 10000-4 §5.10.4.2)."""
    try:
        ranges.parse(text)
    except ranges.RangeError:
        return ua.StatusCodes.BadIndexRangeInvalid
    return ua.StatusCodes.BadWriteNotSupported


async def shown(table: Table, row: int, value: Value | None, before: int) -> None:
    """Waits until a Read that follows the answer gives what was written (OPC 10000-4 §5.10.2.2, MaxAge 0).

    Control tells the outcome before it publishes; both come within the same scan.

    Args:
        table: The tags.
        row: Of the tag.
        value: Written.
        before: Version of the row before the write.
    """
    for _ in range(round(SHOWN_S / _LOOK_S)):
        table.look()
        if table.version(row) != before or table.value(row) == value:
            return
        await asyncio.sleep(_LOOK_S)


def wanted_value(tag: Tag, data: ua.DataValue | None) -> tuple[Value, Code]:
    """The value that a client wants a tag to have, or why it cannot be.

    Returns:
        (value, 0), or (False, an OPC UA status code).
    """
    variant = None if data is None else data.Value
    if variant is None or variant.Value is None or isinstance(variant.Value, list):
        return False, ua.StatusCodes.BadTypeMismatch
    if variant.VariantType != VARIANT[tag.type]:
        return False, ua.StatusCodes.BadTypeMismatch
    if data is not None and data.StatusCode is not None and data.StatusCode.value != 0:
        return (
            False,
            ua.StatusCodes.BadWriteNotSupported,
        )  # OPC 10000-4 §5.10.4.2: the value alone can be written
    try:
        return coerce(tag.type, variant.Value), 0
    except ValueError:
        return False, ua.StatusCodes.BadOutOfRange


def status_of(outcome: Outcome) -> Code:
    """What a client is told: OPC UA has a code, the plant's history has the reasons."""
    if outcome.status == "rejected" and _about_range(outcome.reasons):
        return ua.StatusCodes.BadOutOfRange
    return _STATUS.get(outcome.status, ua.StatusCodes.BadInternalError)


def _about_range(reasons: Sequence[str]) -> bool:
    return any("limits" in reason for reason in reasons)
