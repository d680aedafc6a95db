"""The server's own methods: GetMonitoredItems and ResendData (OPC 10000-5 §9.1, §9.2)."""

from __future__ import annotations

from typing import Any, Final

from asyncua import ua
from asyncua.server.internal_session import InternalSession

from scada.opcua.calls import arguments, refused

_SERVER: Final = ua.NodeId(ua.ObjectIds.Server)
_ITEMS: Final = frozenset(
    {ua.NodeId(ua.ObjectIds.Server_GetMonitoredItems), ua.NodeId(ua.ObjectIds.ServerType_GetMonitoredItems)}
)
_RESEND: Final = frozenset(
    {ua.NodeId(ua.ObjectIds.Server_ResendData), ua.NodeId(ua.ObjectIds.ServerType_ResendData)}
)


class ServerCalls:
    """Answers for both (`scada.opcua.calls.Source`).

    Args:
        iserver: `SiteServer`: its subscriptions.
    """

    def __init__(self, iserver: Any) -> None:
        self._iserver = iserver

    async def call(
        self, session: InternalSession | None, request: ua.CallMethodRequest
    ) -> ua.CallMethodResult | None:
        """Both act on a subscription of the caller's own session."""
        if request.ObjectId != _SERVER or request.MethodId not in _ITEMS | _RESEND:
            return None
        given, wrong = arguments(request.InputArguments, [ua.VariantType.UInt32])
        if wrong is not None:
            return wrong
        subscription = self._iserver.subscription_service.subscriptions.get(given[0])
        if subscription is None:
            return refused(ua.StatusCodes.BadSubscriptionIdInvalid)
        if session is None or subscription.session_id != session.session_id:
            return refused(ua.StatusCodes.BadUserAccessDenied)
        if request.MethodId in _RESEND:
            subscription.resend()
            return ua.CallMethodResult()
        servers, clients = subscription.item_handles()
        result = ua.CallMethodResult()
        result.OutputArguments = [
            ua.Variant([int(handle) for handle in handles], ua.VariantType.UInt32, is_array=True)
            for handles in (servers, clients)
        ]
        return result
