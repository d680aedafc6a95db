"""ServerDiagnostics (OPC 10000-5 §6.3.3, §12.9, §12.11 to §12.13): counts for all, sessions and subscriptions for engineers.

Arrays are made when they are read: a server with 500 sessions makes nothing in between.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asyncua import ua
from asyncua.server.internal_session import InternalSession
from asyncua.ua.ua_binary import struct_to_binary

from scada.access import at_least
from scada.opcua import limits
from scada.opcua.events.audit import WHO
from scada.opcua.information.counters import SERVICES, Counters, Record
from scada.opcua.information.standard import good, live, moment, put
from scada.opcua.security.caller import Caller

O: Final = ua.ObjectIds  # noqa: E741 - the table of standard nodes
LEAST: Final = "engineer"
"""The role that sees other people's sessions (OPC 10000-5 §6.3.5: for authorised users)."""
OLD_S: Final = 0.5
SHARE: Final = 20.0
_SUMMARY: Final = "Server_ServerDiagnostics_ServerDiagnosticsSummary"
_MECHANISMS: Final = {"anonymous": "Anonymous", "password": "UserName", "certificate": "X509"}
_COUNTS: Final = {
    "ModifyCount": "modify_count",
    "EnableCount": "enable_count",
    "DisableCount": "disable_count",
    "RepublishRequestCount": "republish_request_count",
    "RepublishMessageRequestCount": "republish_message_request_count",
    "RepublishMessageCount": "republish_message_count",
    "TransferRequestCount": "transfer_request_count",
    "TransferredToAltClientCount": "transferred_to_alt_client_count",
    "TransferredToSameClientCount": "transferred_to_same_client_count",
    "PublishRequestCount": "publish_request_count",
    "DataChangeNotificationsCount": "data_change_notifications_count",
    "EventNotificationsCount": "event_notifications_count",
    "NotificationsCount": "notifications_count",
    "LatePublishRequestCount": "late_publish_request_count",
    "CurrentKeepAliveCount": "current_keep_alive_count",
    "CurrentLifetimeCount": "current_lifetime_count",
    "UnacknowledgedMessageCount": "unacknowledged_message_count",
    "DiscardedMessageCount": "discarded_message_count",
    "MonitoredItemCount": "monitored_item_count",
    "DisabledMonitoredItemCount": "disabled_monitored_item_count",
    "MonitoringQueueOverflowCount": "monitoring_queue_overflow_count",
    "NextSequenceNumber": "next_sequence_number",
    "EventQueueOverflowCount": "event_queue_overflow_count",
    "MaxKeepAliveCount": "max_keep_alive_count",
    "MaxLifetimeCount": "max_lifetime_count",
    "MaxNotificationsPerPublish": "most",
    "Priority": "priority",
}
"""Members of SubscriptionDiagnosticsDataType, and the attributes of a subscription that they come from."""


@dataclass
class SessionSecurity:
    """SessionSecurityDiagnosticsDataType (OPC 10000-5 §12.12): asyncua takes its `Encoding` for a bit mask."""

    SessionId: ua.NodeId
    ClientUserIdOfSession: ua.String
    ClientUserIdHistory: list[ua.String]
    AuthenticationMechanism: ua.String
    Coding: ua.String
    TransportProtocol: ua.String
    SecurityMode: ua.MessageSecurityMode
    SecurityPolicyUri: ua.String
    ClientCertificate: ua.ByteString


class Kept:
    """An array that is made anew when it is old: long ago by the effort of making it, so that looking costs a twentieth.

    Args:
        read: Makes the structures.
        seconds: Clock.
    """

    def __init__(
        self, read: Callable[[], Sequence[Any]], seconds: Callable[[], float] = time.perf_counter
    ) -> None:
        self._read, self._seconds = read, seconds
        self._until = -math.inf
        self._made: list[ua.ExtensionObject] = []

    def __call__(self) -> list[ua.ExtensionObject]:
        """The structures, encoded."""
        began = self._seconds()
        if began >= self._until:
            self._made = [encoded(one) for one in self._read()]
            ended = self._seconds()
            self._until = ended + max(OLD_S, SHARE * (ended - began))
        return self._made


def encoded(structure: Any) -> ua.ExtensionObject:
    """A structure as it travels; one that is so already stays as it is."""
    if isinstance(structure, ua.ExtensionObject):
        return structure
    type_ = getattr(O, f"{type(structure).__name__}_Encoding_DefaultBinary")
    return ua.ExtensionObject(TypeId=ua.NodeId(type_), Body=struct_to_binary(structure))


class Diagnostics:
    """Tells what the server is doing.

    Args:
        iserver: `SiteServer`: its sessions and subscriptions.
        counters: What was counted.
        now_ns: UTC clock.
    """

    def __init__(self, iserver: Any, counters: Counters, now_ns: Callable[[], int]) -> None:
        self._iserver, self._counters, self._now_ns = iserver, counters, now_ns
        self._told, self._told_until = ua.ServerDiagnosticsSummaryDataType(), -math.inf

    def fill(self) -> None:
        """Makes the standard nodes of ServerDiagnostics tell it."""
        aspace, now = self._iserver.aspace, self._now_ns()
        put(
            aspace,
            O.Server_ServerDiagnostics_EnabledFlag,
            value=True,
            kind=ua.VariantType.Boolean,
            utc_ns=now,
        )
        live(aspace, getattr(O, _SUMMARY), self._structure(self._summary))
        for name in ua.ServerDiagnosticsSummaryDataType.__dataclass_fields__:
            if name not in ("Encoding", "data_type"):
                live(aspace, getattr(O, f"{_SUMMARY}_{name}"), self._count(name))
        guarded = {
            O.Server_ServerDiagnostics_SubscriptionDiagnosticsArray: self.subscriptions,
            O.Server_ServerDiagnostics_SessionsDiagnosticsSummary_SessionDiagnosticsArray: self.sessions,
            O.Server_ServerDiagnostics_SessionsDiagnosticsSummary_SessionSecurityDiagnosticsArray: self.security,
        }
        for number, read in guarded.items():
            live(aspace, number, self._guarded(Kept(read)))

    def summary(self) -> ua.ServerDiagnosticsSummaryDataType:
        """Counts of sessions, subscriptions and refusals."""
        counters, subscriptions = self._counters, self._subscriptions()
        return ua.ServerDiagnosticsSummaryDataType(
            ServerViewCount=0,
            CurrentSessionCount=sum(session.is_activated() for session in self._sessions()),
            CumulatedSessionCount=counters.sessions_opened,
            SecurityRejectedSessionCount=counters.sessions_security_rejected,
            RejectedSessionCount=counters.sessions_rejected,
            SessionTimeoutCount=counters.sessions_timed_out,
            SessionAbortCount=counters.sessions_aborted,
            PublishingIntervalCount=len({_interval(one) for one in subscriptions}),
            CurrentSubscriptionCount=len(subscriptions),
            CumulatedSubscriptionCount=self._iserver.subscription_service.opened,
            SecurityRejectedRequestsCount=counters.requests_security_rejected,
            RejectedRequestsCount=counters.requests_rejected,
        )

    def _summary(self) -> ua.ServerDiagnosticsSummaryDataType:
        """As `summary`, counted twice a second at most: anybody may read it, as often as he likes."""
        if time.perf_counter() >= self._told_until:
            self._told = self.summary()
            self._told_until = time.perf_counter() + OLD_S
        return self._told

    def sessions(self) -> list[ua.SessionDiagnosticsDataType]:
        """One for each session."""
        by_session: dict[ua.NodeId, list[Any]] = {}
        for one in self._subscriptions():
            by_session.setdefault(one.session_id, []).append(one)
        return [
            self._session(session, by_session.get(session.session_id, [])) for session in self._sessions()
        ]

    def security(self) -> list[ua.ExtensionObject]:
        """Who each session belongs to, and how its channel is secured."""
        return [self._security(session) for session in self._sessions()]

    def subscriptions(self) -> list[ua.SubscriptionDiagnosticsDataType]:
        """One for each subscription."""
        return [_subscription(id_, one) for id_, one in self._by_id().items()]

    def _session(self, session: InternalSession, subscriptions: list[Any]) -> ua.SessionDiagnosticsDataType:
        record = self._counters.sessions.get(session) or Record(ua.ApplicationDescription())
        timeout = session.session_timeout or 0.0
        found = ua.SessionDiagnosticsDataType(
            SessionId=session.session_id,
            SessionName=record.name,
            ClientDescription=record.description,
            ServerUri=record.server_uri,
            EndpointUrl=record.endpoint,
            LocaleIds=[],
            ActualSessionTimeout=timeout * 1000.0,
            MaxResponseMessageSize=record.answer_max or limits.MESSAGE,
            ClientConnectionTime=moment(record.opened_ns),
            ClientLastContactTime=moment(record.contact_ns),
            CurrentSubscriptionsCount=len(subscriptions),
            CurrentMonitoredItemsCount=sum(int(_of(one, "monitored_item_count")) for one in subscriptions),
            CurrentPublishRequestsInQueue=self._iserver.subscription_service.waiting_requests(session),
            TotalRequestCount=_counter(record.total),
            UnauthorizedRequestCount=record.unauthorized,
        )
        for place, counts in record.services.items():
            setattr(found, f"{SERVICES[place]}Count", _counter(counts))
        return found

    def _security(self, session: InternalSession) -> ua.ExtensionObject:
        record, caller = self._counters.sessions.get(session), session.user
        channel = getattr(getattr(session, "channel", None), "_connection", None)
        policy = getattr(channel, "security_policy", None)
        certificate = getattr(policy, "peer_certificate", None)
        told = SessionSecurity(
            SessionId=session.session_id,
            ClientUserIdOfSession=caller.name or "",
            ClientUserIdHistory=list(record.users) if record is not None else [],
            AuthenticationMechanism=_MECHANISMS.get(getattr(caller, "auth", ""), ""),
            Coding="UA Binary",
            TransportProtocol="opc.tcp",
            SecurityMode=getattr(policy, "Mode", None) or ua.MessageSecurityMode.None_,
            SecurityPolicyUri=str(getattr(policy, "URI", "")),
            ClientCertificate=certificate,
        )
        type_ = ua.NodeId(O.SessionSecurityDiagnosticsDataType_Encoding_DefaultBinary)
        return ua.ExtensionObject(TypeId=type_, Body=struct_to_binary(told))

    def _sessions(self) -> list[InternalSession]:
        return list(self._iserver._external_sessions.values())  # noqa: SLF001 - asyncua lists them nowhere else

    def _by_id(self) -> dict[int, Any]:
        return dict(self._iserver.subscription_service.subscriptions)

    def _subscriptions(self) -> list[Any]:
        return list(self._by_id().values())

    def _structure(self, read: Callable[[], Any]) -> Callable[[], ua.DataValue]:
        return lambda: good(read(), ua.VariantType.ExtensionObject, self._now_ns())

    def _count(self, name: str) -> Callable[[], ua.DataValue]:
        return lambda: good(getattr(self._summary(), name), ua.VariantType.UInt32, self._now_ns())

    def _guarded(self, read: Callable[[], list[ua.ExtensionObject]]) -> Callable[[], ua.DataValue]:
        """For engineers; others are refused."""

        def value() -> ua.DataValue:
            if not may_see(WHO.get().caller):
                return ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadUserAccessDenied))
            return good(read(), ua.VariantType.ExtensionObject, self._now_ns(), array=True)

        return value


def may_see(caller: Caller | None) -> bool:
    """Whether somebody may look at other people's sessions."""
    return caller is not None and caller.name is not None and at_least(caller.site_role, LEAST)


def _subscription(id_: int, one: Any) -> ua.SubscriptionDiagnosticsDataType:
    counts = {member: int(_of(one, name)) for member, name in _COUNTS.items()}
    return ua.SubscriptionDiagnosticsDataType(
        SessionId=one.session_id or ua.NodeId(),
        SubscriptionId=id_,
        PublishingInterval=_interval(one),
        PublishingEnabled=bool(_of(one, "enabled")),
        **counts,
    )


def _interval(one: Any) -> float:
    return float(_of(one, "interval_ms"))


def _of(one: Any, name: str) -> Any:
    """A number of a session or subscription; 0 where it has none."""
    return getattr(one, name, 0) or 0


def _counter(counts: list[int]) -> ua.ServiceCounterDataType:
    return ua.ServiceCounterDataType(TotalCount=counts[0], ErrorCount=counts[1])
