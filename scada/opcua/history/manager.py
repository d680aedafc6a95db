"""HistoryRead and HistoryUpdate (OPC 10000-11), answered by the historian's worker beside the event loop.

Who may read a tag's history or change it is the rule of `security.access`. Where a read goes on is a few bytes
(`continuation`) that are kept for the session; it has a bounded number of them, each good once (`points`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.history import HistoryManager
from asyncua.server.internal_server import InternalServer

from scada.client import BusyError, Client, EditError, Lane, NotRunning, StoreError
from scada.opcua import limits
from scada.opcua.events.audit import WHO
from scada.opcua.history import encode, exact, reads
from scada.opcua.history.continuation import Place
from scada.opcua.history.modified import modified
from scada.opcua.history.points import NoPointError, PointError, Points
from scada.opcua.history.reads import Found, Read, RefusedError, at_time, processed, raw
from scada.opcua.history.update import By, Done, possible, updater
from scada.opcua.nodes.ids import NAMESPACE
from scada.opcua.security.access import Permission
from scada.opcua.wire.dispatch import Call, Service
from tags.model import Tag

NODES_MAX: Final = limits.NODES_PER_HISTORY_READ
UPDATE: Final = int(ua.ObjectIds.HistoryUpdateRequest_Encoding_DefaultBinary)
_HISTORY_DATA: Final = ua.NodeId(ua.ObjectIds.HistoryData_Encoding_DefaultBinary)
_MODIFIED_DATA: Final = ua.NodeId(ua.ObjectIds.HistoryModifiedData_Encoding_DefaultBinary)
_HISTORY_EVENT: Final = ua.NodeId(ua.ObjectIds.HistoryEvent_Encoding_DefaultBinary)
_CHANGE: Final = Permission.INSERT_HISTORY | Permission.MODIFY_HISTORY | Permission.DELETE_HISTORY
Events = Callable[[Lane, ua.HistoryReadValueId, Any, bytes], Awaitable[tuple[int, bytes, bytes | None]]]
"""(historian's worker, node, ReadEventDetails, where to go on or b"") -> StatusCode, encoded HistoryEvent, where to go on."""


class Histories(HistoryManager):
    """In the place of asyncua's history manager.

    Args:
        iserver: asyncua's internal server.
        data: The plant's data directory.
        tags: Of the site, by path.

    Attributes:
        events: Reads the history of events; None where there is none.
    """

    def __init__(self, iserver: InternalServer, data: Path, tags: Mapping[str, Tag]) -> None:
        super().__init__(iserver)
        exact.install()
        self._tags = tags
        self._lane = Lane(data, "opcua")
        self._points = Points()
        self.events: Events | None = None

    def services(self) -> dict[int, Service]:
        """What asyncua does not dispatch."""
        return {UPDATE: Service(ua.HistoryUpdateParameters, self._update, waits=True, at_once=2)}

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
        for item in nodes:
            item.NodeId = self._behind(item.NodeId)
        details = params.HistoryReadDetails
        of_events = type(details).__name__ == "ReadEventDetails"
        if len(nodes) > (limits.NODES_PER_HISTORY_EVENTS if of_events else NODES_MAX):
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        if params.ReleaseContinuationPoints:
            return [self._released(item) for item in nodes]
        if params.TimestampsToReturn not in (0, 1, 2):
            raise ServiceError(ua.StatusCodes.BadTimestampsToReturnInvalid)
        if of_events and self.events is not None:
            return [await self._events(item, details) for item in nodes]
        source = params.TimestampsToReturn != ua.TimestampsToReturn.Server
        wanted = readers(details, len(nodes))
        return [await self._one(item, read, source=source) for item, read in zip(nodes, wanted, strict=True)]

    async def _one(self, item: ua.HistoryReadValueId, read: Read, *, source: bool) -> ua.HistoryReadResult:
        path = str(item.NodeId.Identifier)
        try:
            tag = self._tag(item, source=source)
            place = self._place(item.ContinuationPoint, path)
            found = await self._lane.ask(lambda client: read(client, tag, place))
            self._used(item.ContinuationPoint)
            kind = _MODIFIED_DATA if found.modified else _HISTORY_DATA
            after = None if found.after is None else found.after.pack(path)
            return self._result(found.status, kind, found.body, after)
        except (RefusedError, BusyError, StoreError, NotRunning, ValueError) as error:
            return _refused(error)

    async def _events(self, item: ua.HistoryReadValueId, details: Any) -> ua.HistoryReadResult:
        assert self.events is not None
        try:
            body = self._body(item.ContinuationPoint) if item.ContinuationPoint else b""
            status, found, after = await self.events(self._lane, item, details, body)
            self._used(item.ContinuationPoint)
            return self._result(status, _HISTORY_EVENT, found, after)
        except (RefusedError, BusyError, StoreError, NotRunning, ValueError) as error:
            return _refused(error)

    def _result(self, status: int, kind: ua.NodeId, body: bytes, after: bytes | None) -> ua.HistoryReadResult:
        result = ua.HistoryReadResult()
        result.StatusCode = ua.StatusCode(status)
        result.HistoryData = ua.ExtensionObject(TypeId=kind, Body=body) if body else None
        result.ContinuationPoint = None
        if after is not None:
            try:
                result.ContinuationPoint = self._points.given(self._session(), after)
            except NoPointError:
                raise RefusedError(ua.StatusCodes.BadNoContinuationPoints) from None
        return result

    def _session(self) -> object:
        """Whose continuation points."""
        return WHO.get().isession or self

    def _body(self, point: bytes) -> bytes:
        try:
            return self._points.place(self._session(), point)
        except PointError:
            raise RefusedError(ua.StatusCodes.BadContinuationPointInvalid) from None

    def _used(self, point: bytes | None) -> None:
        if point:
            self._points.used(self._session(), point)

    def _place(self, point: bytes | None, path: str) -> Place | None:
        if not point:
            return None
        try:
            return Place.unpack(self._body(point), path)
        except ValueError:
            raise RefusedError(ua.StatusCodes.BadContinuationPointInvalid) from None

    def _released(self, item: ua.HistoryReadValueId) -> ua.HistoryReadResult:
        status = ua.StatusCodes.Good
        try:
            self._body(item.ContinuationPoint or b"")
            self._used(item.ContinuationPoint)
        except RefusedError as error:
            status = error.status
        return self._result(status, _HISTORY_DATA, encode.NOTHING, None)

    def _behind(self, node: ua.NodeId) -> ua.NodeId:
        """The node of a handle that RegisterNodes gave to the session; the node itself for others."""
        found: ua.NodeId = self.iserver.registered.resolve(WHO.get().isession, node)
        return found

    def _known(self, node: ua.NodeId, permission: Permission) -> Tag:
        """The tag of a node whose history is kept, for a caller who may."""
        tag = self._tags.get(str(node.Identifier)) if node.NamespaceIndex == NAMESPACE else None
        if tag is None:
            known = node in self.iserver.aspace
            raise RefusedError(
                ua.StatusCodes.BadHistoryOperationUnsupported if known else ua.StatusCodes.BadNodeIdUnknown
            )
        access = self.iserver.access
        status = access.refusal(WHO.get().caller, tag.path, permission) if access is not None else 0
        if status:
            raise RefusedError(status)
        if not tag.history.keep:
            raise RefusedError(ua.StatusCodes.BadHistoryOperationUnsupported)
        return tag

    def _tag(self, item: ua.HistoryReadValueId, *, source: bool) -> Tag:
        tag = self._known(item.NodeId, Permission.READ_HISTORY)
        if item.IndexRange:
            raise RefusedError(ua.StatusCodes.BadIndexRangeInvalid)
        encoding = item.DataEncoding
        if encoding is not None and encoding.Name not in {None, "", "Default Binary"}:
            raise RefusedError(ua.StatusCodes.BadDataEncodingUnsupported)
        if not source:
            raise RefusedError(ua.StatusCodes.BadTimestampNotSupported)
        return tag

    async def _update(self, call: Call) -> ua.HistoryUpdateResponse:
        """HistoryUpdate: one result for each of its details, in order."""
        wanted = call.params.HistoryUpdateDetails or []
        if not wanted:
            raise ServiceError(ua.StatusCodes.BadNothingToDo)
        if len(wanted) > limits.NODES_PER_HISTORY_UPDATE:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        response = ua.HistoryUpdateResponse()
        response.Results = [await self._changed(details) for details in wanted]
        return response

    async def _changed(self, details: Any) -> ua.HistoryUpdateResult:
        node = self._behind(getattr(details, "NodeId", None) or ua.NodeId())
        try:
            done = await self._change(details, node)
        except (RefusedError, BusyError, StoreError, NotRunning, ValueError, PermissionError) as error:
            done = Done(int(_status(error)))
        self.iserver.audit.history_update(done.kind, done.status, node, **done.what)
        result = ua.HistoryUpdateResult()
        result.StatusCode = ua.StatusCode(done.status)
        result.OperationResults = [ua.StatusCode(status) for status in done.each]
        return result

    async def _change(self, details: Any, node: ua.NodeId) -> Done:
        update = updater(details)
        tag = self._known(node, _CHANGE)
        possible(tag)
        who = WHO.get()
        caller = who.caller
        if caller is None or caller.name is None or not self.iserver.user_manager.still(caller):
            raise RefusedError(ua.StatusCodes.BadUserAccessDenied)
        by = By(caller.name, caller.site_role, who.entry or "")
        return await self._lane.ask(lambda client: update(client, tag, by))


def _status(error: Exception) -> int:
    """The StatusCode for what went wrong."""
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, PermissionError):
        return int(ua.StatusCodes.BadUserAccessDenied)
    if isinstance(error, ValueError) and not isinstance(error, EditError):
        return int(
            ua.StatusCodes.BadHistoryOperationInvalid
        )  # the historian says in words what it cannot calculate
    return int(ua.StatusCodes.BadResourceUnavailable)


def _refused(error: Exception) -> ua.HistoryReadResult:
    result = ua.HistoryReadResult()
    result.StatusCode = ua.StatusCode(_status(error))
    result.ContinuationPoint = None
    result.HistoryData = None
    return result


def readers(details: Any, nodes: int) -> list[Read]:
    """What is to be done for each node.

    Args:
        details: What the client wants.
        nodes: How many there are.

    Raises:
        ServiceError: It wants what there is not.
    """
    most = min(reads.VALUES_MAX, reads.ANSWER_MAX // nodes)
    # By name: asyncua decodes into another class of that name than the one it shows.
    kind = type(details).__name__
    if kind == "ReadRawModifiedDetails":
        answer = modified if details.IsReadModified else raw
        return [lambda client, tag, place: answer(client, tag, details, place, most)] * nodes
    if kind == "ReadAtTimeDetails":
        if len(details.ReqTimes) > min(reads.TIMES_MAX, reads.ANSWER_MAX // nodes):
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
