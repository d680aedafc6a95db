"""Publish requests that wait, by session: those of one session are answered in the order in which they came."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from asyncua import ua

from scada.opcua import limits

if TYPE_CHECKING:
    from scada.opcua.security.sessions import Session
    from scada.opcua.wire.processor import Processor

FAREWELLS_MAX: Final = 100


@dataclass(slots=True)
class Request:
    """One Publish request.

    Attributes:
        channel: That it came on.
        sequence: With its RequestId.
        handle: RequestHandle.
        results: A StatusCode for each of its acknowledgements.
        until_ns: When its client gives up, monotonic; 0 for never.
    """

    channel: Processor
    sequence: Any
    handle: int
    results: list[int]
    until_ns: int = 0


@dataclass(slots=True)
class Waiting:
    """What one session has asked for and what it has not been told.

    Attributes:
        session: The session.
        requests: Oldest first.
        late: Ids of subscriptions that had no request when they wanted one, longest waiting first.
        held: Subscriptions that the session has.
        queued: Values that the queues of its items may hold together.
        items: Monitored items that it has.
        polled: Of these, that have to be read again and again.
        farewells: (SubscriptionId, StatusCode, number of the message) of subscriptions that are gone, to be told.
    """

    session: Session
    requests: deque[Request] = field(default_factory=deque)
    late: dict[int, None] = field(default_factory=dict)
    held: int = 0
    queued: int = 0
    items: int = 0
    polled: int = 0
    farewells: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=FAREWELLS_MAX))

    def take(self, now_ns: int) -> Request | None:
        """The oldest request that can be answered; those that are too old are answered so.

        None too while the client does not read what it was sent before.
        """
        while self.requests:
            request = self.requests[0]
            if request.channel is not self.session.channel:  # the session went on elsewhere
                self.requests.popleft()
                continue
            if request.channel.congested:
                return None
            self.requests.popleft()
            if request.until_ns and request.until_ns < now_ns:
                fault(request, ua.StatusCodes.BadTimeout)
                continue
            return request
        return None

    def put(self, request: Request) -> None:
        """Keeps a request; of too many the oldest is answered so (OPC 10000-4 §5.14.5.1)."""
        if len(self.requests) >= limits.PUBLISH_REQUESTS_PER_SESSION:
            fault(self.requests.popleft(), ua.StatusCodes.BadTooManyPublishRequests)
        self.requests.append(request)

    def end(self, status: int) -> int:
        """Answers all that wait with a fault; how many there were."""
        count = len(self.requests)
        while self.requests:
            request = self.requests.popleft()
            if request.channel is self.session.channel:
                fault(request, status)
        return count


def fault(request: Request, status: int) -> None:
    """Answers a request with a ServiceFault."""
    response = ua.ServiceFault()
    response.ResponseHeader.ServiceResult = ua.StatusCode(status)
    request.channel.send_response(request.handle, request.sequence, response)
