"""What is counted for ServerDiagnostics (OPC 10000-5 §12.9 to §12.13): sessions, requests, refusals.

Whoever does it counts it, by one cheap call: `iserver.counters`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

from asyncua import ua
from asyncua.server.internal_session import InternalSession

from scada.clock import Clock, SystemClock

USERS_MAX: Final = 10  # kept of one session
TEXT_MAX: Final = 500  # characters of a text that a client says of itself
URLS_MAX: Final = 5  # of its DiscoveryUrls
SERVICES: Final = (
    "Read", "HistoryRead", "Write", "HistoryUpdate", "Call", "CreateMonitoredItems", "ModifyMonitoredItems",
    "SetMonitoringMode", "SetTriggering", "DeleteMonitoredItems", "CreateSubscription", "ModifySubscription",
    "SetPublishingMode", "Publish", "Republish", "TransferSubscriptions", "DeleteSubscriptions", "AddNodes",
    "AddReferences", "DeleteNodes", "DeleteReferences", "Browse", "BrowseNext", "TranslateBrowsePathsToNodeIds",
    "QueryFirst", "QueryNext", "RegisterNodes", "UnregisterNodes",
)  # fmt: skip
"""Services that SessionDiagnosticsDataType counts one by one."""
NUMBERS: Final[dict[int, int]] = {
    getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary"): index
    for index, name in enumerate(SERVICES)
}
"""Place in `SERVICES` by the number of a request's encoding, for example 631 for Read."""
_SECURITY: Final = frozenset(
    int(code)
    for code in (
        ua.StatusCodes.BadUserAccessDenied,
        ua.StatusCodes.BadIdentityTokenInvalid,
        ua.StatusCodes.BadIdentityTokenRejected,
        ua.StatusCodes.BadSecurityChecksFailed,
        ua.StatusCodes.BadSecurityModeInsufficient,
        ua.StatusCodes.BadCertificateUntrusted,
        ua.StatusCodes.BadUserSignatureInvalid,
        ua.StatusCodes.BadApplicationSignatureInvalid,
        ua.StatusCodes.BadSessionIdInvalid,
        ua.StatusCodes.BadSessionNotActivated,
    )
)


@dataclass(slots=True)
class Record:
    """What is known of one session.

    Attributes:
        description: Of the client.
        name: SessionName.
        server_uri: As the client asked.
        endpoint: As the client asked.
        answer_max: MaxResponseMessageSize, bytes; 0 for none.
        opened_ns: UTC.
        contact_ns: Of the last request, UTC.
        total: Requests, and of them those that failed.
        unauthorized: Requests that were refused to this user.
        services: Total and failed by place in `SERVICES`.
        users: Names that it was activated with, latest last.
    """

    description: ua.ApplicationDescription
    name: str = ""
    server_uri: str = ""
    endpoint: str = ""
    answer_max: int = 0
    opened_ns: int = 0
    contact_ns: int = 0
    total: list[int] = field(default_factory=lambda: [0, 0])
    unauthorized: int = 0
    services: dict[int, list[int]] = field(default_factory=dict)
    users: deque[str] = field(default_factory=lambda: deque(maxlen=USERS_MAX))


class Counters:
    """Counts since the server started, and records of the sessions that there are.

    Args:
        clock: Of times that clients see.

    Attributes:
        sessions: By session; gone with it.
        sessions_opened: Sessions that were created, in all.
        sessions_rejected: CreateSession and ActivateSession that failed, in all.
        sessions_security_rejected: Of those, for reasons of security.
        sessions_timed_out: Sessions that ended because nothing was heard of them.
        sessions_aborted: Sessions that ended without CloseSession for another reason.
        requests_rejected: Requests of sessions that failed as a whole.
        requests_security_rejected: Of those, for reasons of security.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.sessions: WeakKeyDictionary[InternalSession, Record] = WeakKeyDictionary()
        self.sessions_opened = self.sessions_rejected = self.sessions_security_rejected = 0
        self.sessions_timed_out = self.sessions_aborted = 0
        self.requests_rejected = self.requests_security_rejected = 0

    def opened(self, session: InternalSession, params: Any) -> None:
        """A session was created.

        Args:
            session: It.
            params: `ua.CreateSessionParameters`, or None.
        """
        self.sessions_opened += 1
        now = self._clock.utc_ns()
        self.sessions[session] = Record(
            opened_ns=now,
            contact_ns=now,
            description=_described(getattr(params, "ClientDescription", None)),
            name=_text(getattr(params, "SessionName", None)),
            server_uri=_text(getattr(params, "ServerUri", None)),
            endpoint=_text(getattr(params, "EndpointUrl", None)),
            answer_max=int(getattr(params, "MaxResponseMessageSize", 0) or 0),
        )

    def activated(self, session: InternalSession, user: str | None) -> None:
        """A session has a user now; None for an anonymous one."""
        record = self.sessions.get(session)
        name = user or ""
        if record is not None and (not record.users or record.users[-1] != name):
            record.users.append(name)

    def not_opened(self, code: int) -> None:
        """CreateSession or ActivateSession failed with this status code."""
        self.sessions_rejected += 1
        self.sessions_security_rejected += code in _SECURITY

    def request(self, session: InternalSession | None, number: int, code: int = 0) -> None:
        """A request was answered.

        Args:
            session: Whose; None when it has none.
            number: Of the request's binary encoding.
            code: ServiceResult of the answer.
        """
        if code:
            self.requests_rejected += 1
            self.requests_security_rejected += code in _SECURITY
        record = self.sessions.get(session) if session is not None else None
        if record is None:
            return
        record.contact_ns = self._clock.utc_ns()
        record.total[0] += 1
        record.total[1] += code != 0
        record.unauthorized += code in _SECURITY
        place = NUMBERS.get(number)
        if place is not None:
            counts = record.services.setdefault(place, [0, 0])
            counts[0] += 1
            counts[1] += code != 0


def _text(value: Any) -> str:
    return str(value or "")[:TEXT_MAX]


def _described(client: ua.ApplicationDescription | None) -> ua.ApplicationDescription:
    """What a client says of itself, as far as it is kept while its session lives."""
    if client is None:
        return ua.ApplicationDescription()
    name = client.ApplicationName or ua.LocalizedText()
    return ua.ApplicationDescription(
        ApplicationUri=_text(client.ApplicationUri),
        ProductUri=_text(client.ProductUri),
        ApplicationName=ua.LocalizedText(_text(name.Text), _text(name.Locale)),
        ApplicationType=client.ApplicationType,
        GatewayServerUri=_text(client.GatewayServerUri),
        DiscoveryProfileUri=_text(client.DiscoveryProfileUri),
        DiscoveryUrls=[_text(url) for url in (client.DiscoveryUrls or [])[:URLS_MAX]],
    )
