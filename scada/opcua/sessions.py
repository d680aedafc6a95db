"""Sessions and log-ins: who a caller is, and what asyncua leaves open closed.

A password is taken over an encrypted channel only. `admin` is nobody special. Session tokens are random. Anonymous
callers may read. Wrong passwords are throttled by user and source before anything is hashed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.user_managers import UserManager

from scada.users import Throttle, Users

ANONYMOUS_ROLE: Final = "viewer"
LoginLog = Callable[[str, str, bool], None]
"""(user, source, accepted): called for each log-in with a name."""


@dataclass
class Caller(User):
    """asyncua's user with the role that our access rules know.

    Attributes:
        site_role: One of `scada.access.ROLES`.
    """

    site_role: str = ANONYMOUS_ROLE


class SiteUsers(UserManager):
    """Checks names and passwords against the site's users.

    Args:
        users: The site's users.
        throttle: Slows guessing down.
        log: Told of each log-in by name.
    """

    def __init__(self, users: Users, throttle: Throttle, log: LoginLog) -> None:
        self._users = users
        self._throttle = throttle
        self._log = log
        self.source = ""  # of the session that is being activated: asyncua does not hand it on

    def get_user(
        self,
        iserver: InternalServer,
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,
    ) -> Caller | None:
        """The caller, or None to refuse.

        asyncua hands the channel's client certificate in: there is one exactly when the channel is encrypted,
        because the only other policy offered is None.
        """
        del iserver
        if username is None:
            return Caller(role=UserRole.User, name=None)
        key = f"{username}@{self.source}"
        if not certificate or not self._throttle.allowed(key):
            self._log(username, self.source, False)
            return None
        role = self._users.verify(username, password or "")
        if role is None:
            self._throttle.failed(key)
        else:
            self._throttle.succeeded(key)
        self._log(username, self.source, role is not None)
        return None if role is None else Caller(role=UserRole.User, name=username, site_role=role)


class Session(InternalSession):
    """A session with a token that cannot be guessed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.external:
            self.iserver.unregister_external_session(self)
            self.auth_token = ua.NodeId(secrets.token_bytes(32), 0, ua.NodeIdType.ByteString)
            self.iserver.register_external_session(self)

    def activate_session(
        self, params: ua.ActivateSessionParameters, peer_certificate: bytes | None
    ) -> ua.ActivateSessionResult:
        """As asyncua, and the user manager learns where the caller comes from."""
        if isinstance(self.iserver.user_manager, SiteUsers):
            self.iserver.user_manager.source = str(
                self.name[0] if isinstance(self.name, tuple) else self.name
            )
        return super().activate_session(params, peer_certificate)


class SiteServer(InternalServer):
    """asyncua's internal server with our sessions, users and limits.

    Args:
        user_manager: Who may sign in.
        run: Where the copy of the standard nodes lies.
    """

    def __init__(self, user_manager: SiteUsers, run: Path) -> None:
        super().__init__(user_manager=user_manager)
        self._run = run
        self.allow_remote_admin = False
        self.supported_tokens = (ua.AnonymousIdentityToken, ua.UserNameIdentityToken)
        self.max_connections = 100
        self.max_subscriptions = 500
        self.max_unacked_messages_per_subscription = 20
        self.max_monitored_item_queue_size = 100

    def create_session(self, name: str, user: User | None = None, external: bool = False) -> InternalSession:
        """A `Session` for callers from the network."""
        caller = user or Caller(role=UserRole.Anonymous)
        return Session(self, self.aspace, self.subscription_service, name, user=caller, external=external)

    def decrypt_user_token(self, isession: Any, token: ua.UserNameIdentityToken) -> tuple[str, str]:
        """As asyncua, but RSA PKCS#1 v1.5 is refused: it leaks passwords to a padding oracle."""
        if token.EncryptionAlgorithm and token.EncryptionAlgorithm.endswith("rsa-1_5"):
            raise ServiceError(ua.StatusCodes.BadIdentityTokenRejected)
        name, password = super().decrypt_user_token(isession, token)
        return str(name), str(password)
