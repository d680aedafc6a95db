"""HistoryRead (OPC 10000-11), answered from the historian beside the event loop.

Whoever may read a tag may read its history. Continuation points hold all that is needed to go on (`continuation`), so
releasing one is nothing to do, and a restarted server goes on with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.history import HistoryManager
from asyncua.server.internal_server import InternalServer

from scada.client import BusyError, Client, Lane, NotRunning, StoreError
from scada.opcua.history import encode, reads
from scada.opcua.history.continuation import Place
from scada.opcua.history.modified import modified
from scada.opcua.history.reads import (
    ANSWER_MAX,
    TIMES_MAX,
    Found,
    Read,
    RefusedError,
    at_time,
    processed,
    raw,
)
from scada.opcua.nodes.ids import NAMESPACE
from tags.model import Tag

NODES_MAX: Final = 100  # in one HistoryRead
_HISTORY_DATA: Final = ua.NodeId(ua.ObjectIds.HistoryData_Encoding_DefaultBinary)
_MODIFIED_DATA: Final = ua.NodeId(ua.ObjectIds.HistoryModifiedData_Encoding_DefaultBinary)


class Histories(HistoryManager):
    """In the place of asyncua's history manager.

    Args:
        iserver: asyncua's internal server.
        data: The plant's data directory.
        tags: Of the site, by path.
    """

    def __init__(self, iserver: InternalServer, data: Path, tags: Mapping[str, Tag]) -> None:
        super().__init__(iserver)
        self._tags = tags
        self._lane = Lane(data, "opcua")

    async def stop(self) -> None:
        """Ends the worker."""
        self._lane.close()

    async def read_history(self, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        """One result for each node, in order.

        Raises:
            ServiceError: The whole call is refused.
        """
        nodes = params.NodesToRead
        if not nodes:
            raise ServiceError(ua.StatusCodes.BadNothingToDo)
        if len(nodes) > NODES_MAX:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        if params.ReleaseContinuationPoints:
            return [_result(Found(ua.StatusCodes.Good, encode.NOTHING), "") for _ in nodes]
        if params.TimestampsToReturn == ua.TimestampsToReturn.Neither:
            raise ServiceError(ua.StatusCodes.BadTimestampsToReturnInvalid)
        source = params.TimestampsToReturn != ua.TimestampsToReturn.Server
        reads = readers(params.HistoryReadDetails, len(nodes))
        return [await self._one(item, read, source=source) for item, read in zip(nodes, reads, strict=True)]

    async def _one(self, item: ua.HistoryReadValueId, read: Read, *, source: bool) -> ua.HistoryReadResult:
        path = str(item.NodeId.Identifier)
        try:
            tag = self._tag(item, source=source)
            place = _place(item.ContinuationPoint, path)
            return _result(await self._lane.ask(lambda client: read(client, tag, place)), path)
        except RefusedError as error:
            return _result(Found(error.status, b""), path)
        except (BusyError, StoreError, NotRunning):
            return _result(Found(ua.StatusCodes.BadResourceUnavailable, b""), path)
        except ValueError:  # the historian says in words what it cannot calculate; OPC UA has a code
            return _result(Found(ua.StatusCodes.BadHistoryOperationInvalid, b""), path)

    def _tag(self, item: ua.HistoryReadValueId, *, source: bool) -> Tag:
        node = item.NodeId
        tag = self._tags.get(str(node.Identifier)) if node.NamespaceIndex == NAMESPACE else None
        if tag is None:
            known = node in self.iserver.aspace
            raise RefusedError(
                ua.StatusCodes.BadHistoryOperationUnsupported if known else ua.StatusCodes.BadNodeIdUnknown
            )
        if not tag.history.keep:
            raise RefusedError(ua.StatusCodes.BadHistoryOperationUnsupported)
        if item.IndexRange:
            raise RefusedError(ua.StatusCodes.BadIndexRangeInvalid)
        encoding = item.DataEncoding
        if encoding is not None and encoding.Name not in {None, "", "Default Binary"}:
            raise RefusedError(ua.StatusCodes.BadDataEncodingUnsupported)
        if not source:
            raise RefusedError(ua.StatusCodes.BadTimestampNotSupported)
        return tag


def readers(details: Any, nodes: int) -> list[Read]:
    """What is to be done for each node.

    Args:
        details: What the client wants.
        nodes: How many there are.

    Raises:
        ServiceError: It wants what there is not.
    """
    most = min(reads.VALUES_MAX, ANSWER_MAX // nodes)
    # By name: asyncua decodes into another class of that name than the one it shows.
    kind = type(details).__name__
    if kind == "ReadRawModifiedDetails":
        answer = modified if details.IsReadModified else raw
        return [lambda client, tag, place: answer(client, tag, details, place, most)] * nodes
    if kind == "ReadAtTimeDetails":
        if len(details.ReqTimes) > min(TIMES_MAX, ANSWER_MAX // nodes):
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        return [lambda client, tag, _: at_time(client, tag, details)] * nodes
    if kind == "ReadProcessedDetails":
        if len(details.AggregateType) != nodes:
            raise ServiceError(ua.StatusCodes.BadAggregateListMismatch)
        return [
            lambda client, tag, place, wanted=wanted: processed(client, tag, details, wanted, place, most)  # type: ignore[misc]
            for wanted in details.AggregateType
        ]
    return [_unsupported] * nodes


def _unsupported(client: Client, tag: Tag, place: Place | None) -> Found:
    del client, tag, place
    raise RefusedError(ua.StatusCodes.BadHistoryOperationUnsupported)


def _place(data: bytes | None, path: str) -> Place | None:
    if not data:
        return None
    try:
        return Place.unpack(data, path)
    except ValueError:
        raise RefusedError(ua.StatusCodes.BadContinuationPointInvalid) from None


def _result(found: Found, path: str) -> ua.HistoryReadResult:
    result = ua.HistoryReadResult()
    result.StatusCode = ua.StatusCode(found.status)
    result.ContinuationPoint = None if found.after is None else found.after.pack(path)
    kind = _MODIFIED_DATA if found.modified else _HISTORY_DATA
    result.HistoryData = ua.ExtensionObject(TypeId=kind, Body=found.body) if found.body else None
    return result
