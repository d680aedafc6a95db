"""Services by the requests that ask for them.

A `Service` gets its parameters decoded, after they were looked at (`decode`); a `Fast` one sees the bytes first and may
say that a request is none of its. What is in neither table is asyncua's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError

if TYPE_CHECKING:
    from scada.opcua.security.sessions import Session
    from scada.opcua.wire.header import Header
    from scada.opcua.wire.processor import Processor

TURN: Final = 250  # operations of a large request between two turns of the others


@dataclass(slots=True)
class Call:
    """One request.

    Attributes:
        channel: That it came on.
        session: Whose it is; active.
        header: Of the request.
        sequence: With the RequestId, for the answer.
        params: Decoded parameters; for a `Fast` service the bytes after the header, not consumed.
        large: Its answer is probably large too.
        cancelled: Its client has been told so, and is told nothing else.
    """

    channel: Processor
    session: Session
    header: Header
    sequence: ua.SequenceHeader
    params: Any
    large: bool = False
    cancelled: bool = False


Fast = Callable[[Call], bytes | None]
"""Returns the whole encoded answer; empty when it answers later itself (`Processor.send`); None when it is not its."""
Handle = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Service:
    """How a request is answered.

    Attributes:
        params: The asyncua class of its parameters.
        handle: Returns the response, or its bytes, or None when it answers later itself.
        waits: It may wait for somebody else: it runs beside the other requests of its connection.
        at_once: Of these that wait, how many of one connection at a time.
    """

    params: type
    handle: Handle
    waits: bool = False
    at_once: int = 16


async def in_turns(
    operations: Sequence[Any], some: Callable[[list[Any]], Awaitable[Sequence[Any]]]
) -> list[Any]:
    """Results of a large request, worked off in parts between which others have their turn."""
    results: list[Any] = []
    for at in range(0, len(operations), TURN):
        if at:
            await asyncio.sleep(0)
        results.extend(await some(list(operations[at : at + TURN])))
    return results


async def _read(call: Call) -> Any:
    wanted = call.params

    async def some(nodes: list[Any]) -> Sequence[Any]:
        part = ua.ReadParameters(wanted.MaxAge, wanted.TimestampsToReturn, nodes)
        return await call.session.read(part)

    response = ua.ReadResponse()
    response.Results = await in_turns(wanted.NodesToRead, some)
    return response


async def _browse(call: Call) -> Any:
    wanted = call.params

    async def some(nodes: list[Any]) -> Sequence[Any]:
        return await call.session.browse(
            ua.BrowseParameters(wanted.View, wanted.RequestedMaxReferencesPerNode, nodes)
        )

    response = ua.BrowseResponse()
    response.Results = await in_turns(wanted.NodesToBrowse, some)
    return response


async def _translate(call: Call) -> Any:
    response = ua.TranslateBrowsePathsToNodeIdsResponse()
    response.Results = await in_turns(call.params.BrowsePaths, call.session.translate_browsepaths_to_nodeids)
    return response


async def _write(call: Call) -> Any:
    response = ua.WriteResponse()
    response.Results = await call.session.write(call.params)
    return response


async def _call(call: Call) -> Any:
    response = ua.CallResponse()
    response.Results = await call.session.call(call.params.MethodsToCall)
    return response


async def _history_read(call: Call) -> Any:
    response = ua.HistoryReadResponse()
    response.Results = await call.session.history_read(call.params)
    return response


async def _cancel(call: Call) -> Any:
    response = ua.CancelResponse()
    response.Parameters.CancelCount = call.channel.cancel(call.session, call.params.RequestHandle)
    return response


READ: Final = int(ua.ObjectIds.ReadRequest_Encoding_DefaultBinary)
WRITE: Final = int(ua.ObjectIds.WriteRequest_Encoding_DefaultBinary)
CALL: Final = int(ua.ObjectIds.CallRequest_Encoding_DefaultBinary)
BROWSE: Final = int(ua.ObjectIds.BrowseRequest_Encoding_DefaultBinary)
TRANSLATE: Final = int(ua.ObjectIds.TranslateBrowsePathsToNodeIdsRequest_Encoding_DefaultBinary)
HISTORY_READ: Final = int(ua.ObjectIds.HistoryReadRequest_Encoding_DefaultBinary)
CANCEL: Final = int(ua.ObjectIds.CancelRequest_Encoding_DefaultBinary)


def services() -> dict[int, Service]:
    """What asyncua answers well enough, except that it would hold up others."""
    return {
        READ: Service(ua.ReadParameters, _read),
        BROWSE: Service(ua.BrowseParameters, _browse),
        TRANSLATE: Service(ua.TranslateBrowsePathsToNodeIdsParameters, _translate),
        WRITE: Service(ua.WriteParameters, _write, waits=True),
        CALL: Service(ua.CallParameters, _call, waits=True),
        HISTORY_READ: Service(ua.HistoryReadParameters, _history_read, waits=True, at_once=2),
        CANCEL: Service(ua.CancelParameters, _cancel),
    }


def unsupported() -> dict[int, Fast]:
    """What this server does not do, though asyncua would: the site is edited, not the server."""

    def refuse(call: Call) -> bytes:
        del call
        raise ServiceError(ua.StatusCodes.BadServiceUnsupported)

    names = ("AddNodes", "AddReferences", "DeleteNodes", "DeleteReferences")
    return {int(getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary")): refuse for name in names}
