"""Browse, BrowseNext and TranslateBrowsePathsToNodeIds (OPC 10000-4 §5.8) over all sources, for what a caller may see."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final
from weakref import WeakKeyDictionary

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.address_space import AddressSpace
from asyncua.server.internal_session import InternalSession

from scada.opcua import limits
from scada.opcua.nodes import make
from scada.opcua.nodes.ids import path_of
from scada.opcua.nodes.references import ManyReferences
from scada.opcua.security.access import Access, Permission

Codes = ua.StatusCodes
MATCHES_MAX: Final = 1000
ELEMENTS_MAX: Final = 32  # of one browse path
_ALL: Final = 0x3F  # ResultMask: every field
_WITH_TYPE: Final = frozenset({ua.NodeClass.Object, ua.NodeClass.Variable})
Resolve = Callable[[InternalSession | None, ua.NodeId], ua.NodeId]


@dataclass(frozen=True, slots=True)
class _Rest:
    """What a continuation point stands for.

    Attributes:
        wanted: The description, with the node that a handle stood for.
        most: References in one answer.
        at: Number of the reference to go on with.
        request: In which request it was made.
    """

    wanted: ua.BrowseDescription
    most: int
    at: int
    request: int


class _Points:
    """Continuation points of one session."""

    def __init__(self) -> None:
        self.held: OrderedDict[bytes, _Rest] = OrderedDict()
        self.request = 0

    def keep(self, rest: _Rest) -> bytes | None:
        """Its name; None when the session's are all of this request (§7.9: older ones make room)."""
        if len(self.held) >= limits.BROWSE_CONTINUATION_POINTS:
            oldest = next(iter(self.held))
            if self.held[oldest].request == rest.request:
                return None
            del self.held[oldest]
        name = secrets.token_bytes(8)
        self.held[name] = rest
        return name


class Browsing:
    """Shows callers the nodes.

    Args:
        aspace: The address space.
        access: Who may see what.
        resolve: The node behind a registered handle.
    """

    def __init__(self, aspace: AddressSpace, access: Access, resolve: Resolve) -> None:
        self._aspace = aspace
        self._access = access
        self._resolve = resolve
        self._kinds: dict[ua.NodeId, frozenset[ua.NodeId] | None] = {}
        self._points: WeakKeyDictionary[InternalSession, _Points] = WeakKeyDictionary()

    def begin(self, session: InternalSession, params: ua.BrowseParameters) -> Iterator[ua.BrowseResult]:
        """One result for each node, in order, made when it is taken.

        Raises:
            ServiceError: The whole request is refused.
        """
        _check_count(params.NodesToBrowse, limits.NODES_PER_BROWSE)
        view = params.View
        if view is not None and not view.ViewId.is_null():
            raise ServiceError(Codes.BadViewIdUnknown)
        return self._begin(session, params)

    def _begin(self, session: InternalSession, params: ua.BrowseParameters) -> Iterator[ua.BrowseResult]:
        asked = params.RequestedMaxReferencesPerNode
        most = min(asked or limits.REFERENCES_PER_NODE, limits.REFERENCES_PER_NODE)
        points = self._points.setdefault(session, _Points())
        points.request += 1
        request = points.request
        left = limits.REFERENCES_PER_ANSWER
        for one in params.NodesToBrowse:
            found, cost = self._first(session, points, one, most, left, request)
            left -= cost
            yield found

    def go_on(self, session: InternalSession, params: ua.BrowseNextParameters) -> Iterator[ua.BrowseResult]:
        """As `begin`, from continuation points on, or their release.

        Raises:
            ServiceError: The whole request is refused.
        """
        _check_count(params.ContinuationPoints, limits.NODES_PER_BROWSE)
        return self._go_on(session, params)

    def _go_on(self, session: InternalSession, params: ua.BrowseNextParameters) -> Iterator[ua.BrowseResult]:
        points = self._points.setdefault(session, _Points())
        points.request += 1
        request = points.request
        left = limits.REFERENCES_PER_ANSWER
        for name in params.ContinuationPoints:
            rest = points.held.pop(name, None)
            if rest is None:
                yield _bad(Codes.BadContinuationPointInvalid)
            elif params.ReleaseContinuationPoints:
                yield ua.BrowseResult()
            else:
                found, cost = self._some(session, points, replace(rest, request=request), left)
                left -= cost
                yield found

    def _first(
        self,
        session: InternalSession,
        points: _Points,
        wanted: ua.BrowseDescription,
        most: int,
        left: int,
        request: int,
    ) -> tuple[ua.BrowseResult, int]:
        node_id = self._resolve(session, wanted.NodeId)
        if node_id not in self._aspace or not self._sees(session, node_id):
            return _bad(Codes.BadNodeIdUnknown), 0
        if not 0 <= int(wanted.BrowseDirection) <= 2:
            return _bad(Codes.BadBrowseDirectionInvalid), 0
        kind = wanted.ReferenceTypeId
        if not kind.is_null() and self._kinds_of(kind, subtypes=True) is None:
            return _bad(Codes.BadReferenceTypeIdInvalid), 0
        described = ua.BrowseDescription(
            NodeId=node_id,
            BrowseDirection=wanted.BrowseDirection,
            ReferenceTypeId=kind,
            IncludeSubtypes=wanted.IncludeSubtypes,
            NodeClassMask=wanted.NodeClassMask,
            ResultMask=wanted.ResultMask,
        )
        return self._some(session, points, _Rest(described, most, 0, request), left)

    def _some(
        self, session: InternalSession, points: _Points, rest: _Rest, left: int
    ) -> tuple[ua.BrowseResult, int]:
        """The next references, a continuation point when there are more, and what of `left` it took.

        Each reference that is told takes 1, of a great folder also each that is looked at.
        """
        wanted = rest.wanted
        node = self._aspace.get(wanted.NodeId)
        if node is None:
            return _bad(Codes.BadNodeIdUnknown), 0
        references: Sequence[ua.ReferenceDescription] = node.references
        great = isinstance(references, ManyReferences)
        kinds = None
        if not wanted.ReferenceTypeId.is_null():
            kinds = self._kinds_of(wanted.ReferenceTypeId, subtypes=wanted.IncludeSubtypes)
        all_seen = self._sees_all(session)
        most = min(rest.most, left)
        found: list[ua.ReferenceDescription] = []
        for at in range(rest.at, len(references)):
            tired = great and at - rest.at >= max(left, 1)
            one = references[at]
            if not tired and (
                not _suits(one, wanted, kinds) or not (all_seen or self._sees(session, one.NodeId))
            ):
                continue
            if tired or len(found) >= most:
                name = points.keep(_Rest(wanted, rest.most, at, rest.request))
                if name is None:
                    return _bad(Codes.BadNoContinuationPoints), 0
                return (
                    ua.BrowseResult(ContinuationPoint=name, References=found),
                    at - rest.at if great else len(found),
                )
            found.append(_masked(one, wanted.ResultMask))
        return ua.BrowseResult(References=found), len(references) - rest.at if great else len(found)

    def translate(self, session: InternalSession, path: ua.BrowsePath) -> ua.BrowsePathResult:
        """The nodes that a browse path leads to (§5.8.4)."""
        elements = path.RelativePath.Elements or []
        start = self._resolve(session, path.StartingNode)
        if start not in self._aspace or not self._sees(session, start):
            return ua.BrowsePathResult(StatusCode=ua.StatusCode(Codes.BadNodeIdUnknown))
        if not elements:
            return ua.BrowsePathResult(StatusCode=ua.StatusCode(Codes.BadNothingToDo))
        if len(elements) > ELEMENTS_MAX:
            return ua.BrowsePathResult(StatusCode=ua.StatusCode(Codes.BadQueryTooComplex))
        if any(one.TargetName is None or not one.TargetName.Name for one in elements):
            return ua.BrowsePathResult(StatusCode=ua.StatusCode(Codes.BadBrowseNameInvalid))
        here: dict[ua.NodeId, None] = {start: None}
        for element in elements:
            here = dict.fromkeys(
                one.NodeId for node_id in here for one in self._step(session, node_id, element)
            )
            if not here:
                return ua.BrowsePathResult(StatusCode=ua.StatusCode(Codes.BadNoMatch))
            if len(here) > MATCHES_MAX:
                return ua.BrowsePathResult(StatusCode=ua.StatusCode(Codes.BadTooManyMatches))
        targets = [
            ua.BrowsePathTarget(TargetId=node_id, RemainingPathIndex=ua.Index(0xFFFFFFFF)) for node_id in here
        ]
        return ua.BrowsePathResult(Targets=targets)

    def _step(
        self, session: InternalSession, node_id: ua.NodeId, element: ua.RelativePathElement
    ) -> list[ua.ReferenceDescription]:
        node = self._aspace.get(node_id)
        if node is None:
            return []
        kinds = None
        if not element.ReferenceTypeId.is_null():
            kinds = self._kinds_of(element.ReferenceTypeId, subtypes=element.IncludeSubtypes) or frozenset()
        references = node.references
        named = references.named(element.TargetName) if isinstance(references, ManyReferences) else references
        return [
            one
            for one in named
            if one.BrowseName == element.TargetName
            and one.IsForward != element.IsInverse
            and (kinds is None or one.ReferenceTypeId in kinds)
            and self._sees(session, one.NodeId)
        ]

    # What a caller may see

    def _sees(self, session: InternalSession, node_id: ua.NodeId) -> bool:
        path = path_of(node_id)
        return path is None or self._access.permits(session.user, path, Permission.BROWSE)

    def _sees_all(self, session: InternalSession) -> bool:
        return bool(self._access.rows(session.user, Permission.BROWSE).all())

    # Types of references

    def _kinds_of(self, kind: ua.NodeId, *, subtypes: bool) -> frozenset[ua.NodeId] | None:
        """A reference type, with all below it if wanted; None for what is no reference type."""
        if kind not in self._kinds:
            if not self._is_reference_type(kind):
                return None
            self._kinds[kind] = frozenset(self._below(kind))
        return self._kinds[kind] if subtypes else frozenset({kind})

    def _is_reference_type(self, kind: ua.NodeId) -> bool:
        found = self._aspace.read_attribute_value(kind, ua.AttributeIds.NodeClass).Value
        return found is not None and found.Value == ua.NodeClass.ReferenceType

    def _below(self, kind: ua.NodeId) -> Iterator[ua.NodeId]:
        yield kind
        node = self._aspace.get(kind)
        for one in node.references if node is not None else ():
            if one.IsForward and one.ReferenceTypeId == make.HAS_SUBTYPE:
                yield from self._below(one.NodeId)


def _suits(
    one: ua.ReferenceDescription, wanted: ua.BrowseDescription, kinds: frozenset[ua.NodeId] | None
) -> bool:
    direction = wanted.BrowseDirection
    if direction != ua.BrowseDirection.Both and one.IsForward != (direction == ua.BrowseDirection.Forward):
        return False
    if kinds is not None and one.ReferenceTypeId not in kinds:
        return False
    return not wanted.NodeClassMask or bool(wanted.NodeClassMask & int(one.NodeClass))


def _masked(one: ua.ReferenceDescription, mask: int) -> ua.ReferenceDescription:
    """What of a reference the client wants to know (§5.8.2.2 resultMask)."""
    if mask & _ALL == _ALL:
        return one
    made = ua.ReferenceDescription(NodeId=one.NodeId, IsForward=False)
    if mask & 0x01:
        made.ReferenceTypeId = one.ReferenceTypeId
    if mask & 0x02:
        made.IsForward = one.IsForward
    if mask & 0x04:
        made.NodeClass = one.NodeClass
    if mask & 0x08:
        made.BrowseName = one.BrowseName
    if mask & 0x10:
        made.DisplayName = one.DisplayName
    if mask & 0x20 and one.NodeClass in _WITH_TYPE:
        made.TypeDefinition = one.TypeDefinition
    return made


def _bad(status: int) -> ua.BrowseResult:
    return ua.BrowseResult(StatusCode=ua.StatusCode(status))


def _check_count(what: Sequence[object] | None, most: int) -> None:
    if not what:
        raise ServiceError(Codes.BadNothingToDo)
    if len(what) > most:
        raise ServiceError(Codes.BadTooManyOperations)
