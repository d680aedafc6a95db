"""Writes of clients become requests to control, one for each node, each with its own status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AddressSpace, AttributeService

from scada.access import refusal
from scada.client import Client, Outcome
from scada.opcua.nodes.ids import NAMESPACE
from scada.opcua.security.caller import Caller
from scada.opcua.types import VARIANT
from tags.model import Tag
from tags.types import Value, coerce

WRITES_MAX: Final = 100  # nodes in one Write call
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
        still: Whether a caller has the role yet that he signed in with.
    """

    def __init__(self, aspace: AddressSpace, client: Client, still: Callable[[Caller], bool]) -> None:
        super().__init__(aspace)
        self._client = client
        self._still = still

    async def write(self, params: ua.WriteParameters, user: User | None = None) -> list[ua.StatusCode]:
        """One status for each node, in order (OPC 10000-4 §5.10.4).

        Server's own writes (asyncua keeps its clock node and the like that way) go to asyncua.
        """
        caller = user or User(role=UserRole.Admin)
        if caller.role == UserRole.Admin:
            return list(await super().write(params, caller))
        if len(params.NodesToWrite) > WRITES_MAX:
            return [ua.StatusCode(ua.StatusCodes.BadTooManyOperations)] * len(params.NodesToWrite)
        codes = await asyncio.gather(*(self._one(item, caller) for item in params.NodesToWrite))
        return [ua.StatusCode(code) for code in codes]

    async def _one(self, item: ua.WriteValue, caller: User) -> Code:
        tag = self._tag(item.NodeId)
        if tag is None:
            known = item.NodeId in self._aspace
            return ua.StatusCodes.BadNotWritable if known else ua.StatusCodes.BadNodeIdUnknown
        if item.AttributeId != ua.AttributeIds.Value or not tag.writable:
            return ua.StatusCodes.BadNotWritable
        if not isinstance(caller, Caller) or caller.name is None or refusal(caller.site_role, "write", tag):
            return ua.StatusCodes.BadUserAccessDenied
        if not self._still(caller):  # somebody has taken the role away since
            return ua.StatusCodes.BadUserAccessDenied
        if item.IndexRange:
            return ua.StatusCodes.BadIndexRangeInvalid
        value, problem = wanted_value(tag, item.Value)
        if problem:
            return problem
        outcome = await self._client.arequest(
            "write", [(tag.path, value)], user=caller.name, role=caller.site_role
        )
        return status_of(outcome)

    def _tag(self, node: ua.NodeId) -> Tag | None:
        if node.NamespaceIndex != NAMESPACE or not isinstance(node.Identifier, str):
            return None
        return self._client.tags.get(node.Identifier)


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
