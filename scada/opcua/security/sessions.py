"""Sessions: what asyncua leaves open closed.

Session tokens are random, and good for one channel, one application and one user (`identity`). A session touches its
own subscriptions only, and not too many of them.
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession, SessionState

from scada.opcua.calls import Calls
from scada.opcua.events.audit import Audit
from scada.opcua.information.counters import Counters
from scada.opcua.nodes.lazy import LazyNodes, install
from scada.opcua.nodes.standard import fill
from scada.opcua.security.caller import Caller
from scada.opcua.security.passwords import SiteUsers
from scada.opcua.security.secured import SecuredServer, SecuredSession
from scada.opcua.wire.counts import Counts
from scada.opcua.wire.dispatch import Fast, Service, services, unsupported

if TYPE_CHECKING:
    from scada.opcua.wire.processor import Processor

READS_MAX: Final = 10_000  # nodes in one Read


class Session(SecuredSession, InternalSession):
    """A session with a token that cannot be guessed, and with bounds.

    Attributes:
        begun: When it was created, monotonic, s.
        channel: The connection that it is on; None while it has lost it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.begun = time.monotonic()
        self.channel: Processor | None = None
        if self.external:
            self.iserver.unregister_external_session(self)
            self.auth_token = ua.NodeId(secrets.token_bytes(32), 0, ua.NodeIdType.ByteString)
            self.iserver.register_external_session(self)

    @property
    def is_closed(self) -> bool:
        """It has ended: closed by its client, by us, or by the clock."""
        return bool(self.state == SessionState.Closed)

    async def _timeout_loop(self) -> None:
        await super()._timeout_loop()
        idle = time.monotonic() - self._last_activity
        self.iserver.counters.sessions_timed_out += idle >= (self.session_timeout or 0)

    def activate_session(
        self, params: ua.ActivateSessionParameters, peer_certificate: bytes | None
    ) -> ua.ActivateSessionResult:
        """As asyncua, for the caller that was admitted just before."""
        self.iserver.people.checked, self._admitted = self._admitted, None
        return super().activate_session(params, peer_certificate)

    async def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        """As asyncua, at most `READS_MAX` nodes."""
        if len(params.NodesToRead) > READS_MAX:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        return list(await super().read(params))

    async def call(self, params: list[ua.CallMethodRequest]) -> list[ua.CallMethodResult]:
        """As asyncua; the methods know who calls."""
        return list(await self.iserver.method_service.call(params, self))


class SiteServer(SecuredServer, InternalServer):
    """asyncua's internal server with our sessions, users and limits.

    Args:
        user_manager: Who may sign in.
        run: Where the copy of the standard nodes lies.

    Attributes:
        nodes: Those of the address space; sources of further ones are attached to it.
        audit: Takes what clients do, for the record; swallows it until the service puts its own here.
        services: How requests are answered, by the id of their encoding; the others are asyncua's.
        fast: What sees the bytes of a request first.
        wire: What was refused.
    """

    def __init__(self, user_manager: SiteUsers, run: Path) -> None:
        super().__init__(user_manager=user_manager)
        self._run = run
        self.audit = Audit()
        self.counters = Counters()
        self.services: dict[int, Service] = services()
        self.fast: dict[int, Fast] = unsupported()
        self.wire = Counts()
        self.nodes = LazyNodes({})
        self.method_service = Calls(self.aspace)
        self.allow_remote_admin = False
        self.supported_tokens = (
            ua.AnonymousIdentityToken,
            ua.UserNameIdentityToken,
            ua.X509IdentityToken,
        )
        self.max_subscriptions = 500
        self.max_unacked_messages_per_subscription = 20
        self.max_monitored_item_queue_size = 100

    async def load_standard_address_space(self, shelf_file: Path | None = None) -> None:
        """From the copy in `run/` if there is one: asyncua takes most of two seconds to make them."""
        del shelf_file
        await fill(self.aspace, self.node_mgt_service, self._run)
        self.nodes = install(self.aspace)

    def create_session(self, name: str, user: User | None = None, external: bool = False) -> InternalSession:
        """A `Session` for callers from the network."""
        caller = user or Caller(role=UserRole.Anonymous)
        return Session(self, self.aspace, self.subscription_service, name, user=caller, external=external)

    def external_sessions(self) -> list[Session]:
        """Sessions of callers from the network, also those that are not activated yet."""
        return list(self._external_sessions.values())

    def session_count(self) -> int:
        """Sessions of callers from the network, also those that are not activated yet."""
        return len(self._external_sessions)

    async def get_endpoints(
        self, params: ua.GetEndpointsParameters | None = None, sockname: tuple[str, int] | None = None
    ) -> list[ua.EndpointDescription]:
        """As asyncua, of the transports that were asked for (OPC 10000-4 §5.5.4)."""
        found = await super().get_endpoints(params, sockname)
        wanted = set(params.ProfileUris or ()) if params is not None else set()
        return [endpoint for endpoint in found if not wanted or endpoint.TransportProfileUri in wanted]

    def register_server(self, server: Any, conf: Any = None) -> None:
        """Refused: anybody could, without signing in, and send our clients to a server of his own."""
        del server, conf
        raise ServiceError(ua.StatusCodes.BadServiceUnsupported)
