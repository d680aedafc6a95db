"""Once a second: who is trusted no more is disconnected, and a renewed certificate of the server is taken.

People change the trust list, the users and the server's certificate with the command line, as files; a running server
follows. What a channel or a session was admitted by is asked again: certificates end, and are revoked.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scada.opcua.security.caller import Caller
from scada.opcua.security.channel import SecureChannel
from scada.opcua.security.own import WARN_DAYS, Own, load

if TYPE_CHECKING:
    from scada.opcua.security.guard import Guard
    from scada.opcua.security.sessions import Session, SiteServer
    from scada.opcua.server import SiteEndpoints

EVERY: Final = 60  # looks after which certificates are asked again though no file has changed: they end
Stamp = tuple[int, int, int] | None


class Watch:
    """Follows the files.

    Args:
        server: Running.
        guard: The trust list.
        users: The file of the users.

    Attributes:
        ended: Sessions and channels that were ended, in all.
    """

    def __init__(self, server: SiteEndpoints, guard: Guard, users: Path) -> None:
        self._server = server
        self._iserver: SiteServer = server.iserver
        self._guard = guard
        self._users = users
        self._own = load(guard.store.root)
        self._own_seen = self._own_stamp()
        self._users_seen = _stamp(users)
        self._trust = guard.store.trust()
        self._looks = 0
        self.ended = 0

    async def look(self) -> dict[str, Any]:
        """Follows what has changed.

        Returns:
            Health values of the service.
        """
        self._looks += 1
        self._follow_own()
        trust = self._guard.store.trust()
        if trust is not self._trust or self._looks % EVERY == 0:
            self._trust = trust
            self._channels()
        users = _stamp(self._users)
        if users != self._users_seen:
            self._users_seen = users
            await self._sessions()
        days = self._own.days_left(self._guard.now())
        return {
            "certificate_days": days,
            "certificate_ends": days < WARN_DAYS,
            "certificates_refused": self._guard.refused,
            "logins_throttled": self._iserver.people.throttled,
        }

    def _follow_own(self) -> None:
        seen = self._own_stamp()
        if seen == self._own_seen:
            return
        # Key and certificate are two files: until they belong together the old ones are used.
        with contextlib.suppress(OSError, ValueError):
            self._own = load(self._guard.store.root)
            self._server.use(self._own)
            self._own_seen = seen

    def _channels(self) -> None:
        for connection in list(self._server.bserver.clients):
            channel = connection.processor._connection  # noqa: SLF001 - asyncua gives it no other name
            if (
                isinstance(channel, SecureChannel)
                and channel.certificate is not None
                and not self._guard.believes(channel.chain)
            ):
                self.ended += 1
                connection.transport.abort()

    async def _sessions(self) -> None:
        """Ends those whose user is not any more what he was: removed, or with another role or password."""
        sessions: list[Session] = list(self._iserver.external_sessions())
        for session in sessions:
            caller = session.user
            if not isinstance(caller, Caller) or caller.anonymous or self._iserver.people.still(caller):
                continue
            self.ended += 1
            channel = session.channel
            await session.close_session(True)
            self._iserver.counters.sessions_aborted += 1
            self._iserver.audit.close_session(
                session=session.session_id, why="Terminated", user=caller.name or ""
            )
            if channel is not None:
                channel.release(session)  # it has ended, once
                channel.protocol.transport.abort()

    def _own_stamp(self) -> tuple[Stamp, Stamp]:
        own: Own = self._own
        return _stamp(own.key), _stamp(own.file)


def _stamp(path: Path) -> Stamp:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size, info.st_ino
