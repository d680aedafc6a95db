"""The Call service (OPC 10000-4 §5.12): who a method belongs to, whether it may be called, and what came of it.

A `Source` has the methods of one kind (equipment, conditions, the server's own) and answers for them. What no source
answers for goes to asyncua, which knows the functions of ordinary nodes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final, Protocol

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.address_space import AddressSpace, MethodService, NodeData
from asyncua.server.internal_session import InternalSession

from scada.opcua import limits

_LOG: Final = logging.getLogger(__name__)
_CALLABLE: Final = (ua.NodeClass.Object, ua.NodeClass.ObjectType)
_COMPONENT: Final = (ua.NodeId(ua.ObjectIds.HasComponent), ua.NodeId(ua.ObjectIds.HasOrderedComponent))
_TYPE: Final = ua.NodeId(ua.ObjectIds.HasTypeDefinition)
_SUBTYPE: Final = ua.NodeId(ua.ObjectIds.HasSubtype)
_DEPTH: Final = 32  # of types


class Source(Protocol):
    """Has methods."""

    async def call(
        self, session: InternalSession | None, request: ua.CallMethodRequest
    ) -> ua.CallMethodResult | None:
        """Calls one of its methods, having checked who calls and with what.

        Args:
            session: Of the caller; None for the server itself.
            request: One method.

        Returns:
            What came of it; None when the method of this object is not its own.
        """


class Calls(MethodService):
    """Finds who answers for a method.

    Args:
        aspace: Of the server.
    """

    def __init__(self, aspace: AddressSpace) -> None:
        super().__init__(aspace)
        self._sources: list[Source] = []

    def add(self, source: Source) -> None:
        """Asks this source too, after those that were added before."""
        self._sources.append(source)

    async def call(
        self, methods: list[ua.CallMethodRequest], session: InternalSession | None = None
    ) -> list[ua.CallMethodResult]:
        """One result for each method, called one after the other.

        Args:
            methods: At most `limits.NODES_PER_CALL`.
            session: Of the caller; None for the server itself.

        Raises:
            ServiceError: None, or too many.
        """
        if not methods:
            raise ServiceError(ua.StatusCodes.BadNothingToDo)
        if len(methods) > limits.NODES_PER_CALL:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        return [await self._answered(session, request) for request in methods]

    async def _answered(
        self, session: InternalSession | None, request: ua.CallMethodRequest
    ) -> ua.CallMethodResult:
        request.InputArguments = request.InputArguments or []
        try:
            result = await self._one(session, request)
        except ServiceError as error:
            result = refused(error.code)
        except Exception:  # noqa: BLE001 - one method must not end the others
            _LOG.exception("method %s of %s", request.MethodId, request.ObjectId)
            result = refused(ua.StatusCodes.BadInternalError)
        audit: Any = getattr(getattr(session, "iserver", None), "audit", None)
        if audit is not None:
            audit.method(
                result.StatusCode.value, request.ObjectId, request.MethodId, list(request.InputArguments)
            )
        return result

    async def _one(
        self, session: InternalSession | None, request: ua.CallMethodRequest
    ) -> ua.CallMethodResult:
        for source in self._sources:
            result = await source.call(session, request)
            if result is not None:
                return result
        found = self._aspace.get(request.ObjectId)
        if found is None:
            return refused(ua.StatusCodes.BadNodeIdUnknown)
        if _value(found, ua.AttributeIds.NodeClass) not in _CALLABLE:
            return refused(ua.StatusCodes.BadNodeIdInvalid)
        method = self._aspace.get(request.MethodId)
        is_method = method is not None and _value(method, ua.AttributeIds.NodeClass) == ua.NodeClass.Method
        if method is None or not is_method or not self._has(found, request.MethodId):
            return refused(ua.StatusCodes.BadMethodInvalid)
        if _value(method, ua.AttributeIds.Executable) is False or method.call is None:
            return refused(ua.StatusCodes.BadNotExecutable)
        return await super()._call(request)

    def _has(self, object_: NodeData, method: ua.NodeId) -> bool:
        """Whether the object, its type or a super type of that has the method for a component."""
        owner: NodeData | None = object_
        for _ in range(_DEPTH):
            if owner is None:
                return False
            if _target(owner, _COMPONENT, method) is not None:
                return True
            above = _target(owner, (_TYPE,)) or _target(owner, (_SUBTYPE,), forward=False)
            owner = None if above is None else self._aspace.get(above)
        return False


def refused(code: int) -> ua.CallMethodResult:
    """The result of a method that was not called."""
    result = ua.CallMethodResult()
    result.StatusCode = ua.StatusCode(code)
    return result


def arguments(
    given: Sequence[ua.Variant], types: Sequence[ua.VariantType]
) -> tuple[list[Any], ua.CallMethodResult | None]:
    """The values of scalar input arguments, checked for their number and types (OPC 10000-4 §5.12.2.4).

    Args:
        given: InputArguments.
        types: Of the arguments that the method has.

    Returns:
        (values, None), or ([], why it is refused).
    """
    if len(given) < len(types):
        return [], refused(ua.StatusCodes.BadArgumentsMissing)
    if len(given) > len(types):
        return [], refused(ua.StatusCodes.BadTooManyArguments)
    codes = [
        ua.StatusCodes.Good
        if not isinstance(variant.Value, list) and variant.VariantType == type_
        else ua.StatusCodes.BadTypeMismatch
        for variant, type_ in zip(given, types, strict=True)
    ]
    if any(codes):
        return [], wrong_arguments(codes)
    return [variant.Value for variant in given], None


def wrong_arguments(codes: Sequence[int]) -> ua.CallMethodResult:
    """BadInvalidArgument, with a status for each argument."""
    result = refused(ua.StatusCodes.BadInvalidArgument)
    result.InputArgumentResults = [ua.StatusCode(code) for code in codes]
    return result


def _value(data: NodeData, attribute: ua.AttributeIds) -> Any:
    held = data.attributes.get(attribute)
    return None if held is None or held.value is None or held.value.Value is None else held.value.Value.Value


def _target(
    data: NodeData, kinds: Sequence[ua.NodeId], wanted: ua.NodeId | None = None, *, forward: bool = True
) -> ua.NodeId | None:
    for one in data.references:
        if one.IsForward == forward and one.ReferenceTypeId in kinds and wanted in (None, one.NodeId):
            return one.NodeId
    return None
