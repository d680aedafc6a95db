"""Who is signed in: random tokens, kept here by their hash, with an end and a bound."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from scada.clock import Clock

LIFETIME_NS: Final = 12 * 3600 * 1_000_000_000
SESSIONS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser.

    Attributes:
        user: Name.
        role: At sign-in; it is checked again for each request.
        end_ns: Monotonic, ns.
        mark: `Users.mark` at sign-in.
    """

    user: str
    role: str
    end_ns: int
    mark: str = ""


class Sessions:
    """At most `SESSIONS_MAX` sessions of `LIFETIME_NS` (a shift); beyond that the oldest ends.

    Args:
        clock: Monotonic.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: dict[bytes, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def start(self, user: str, role: str, mark: str = "") -> str:
        """A new session's token, for the cookie; it is not kept here."""
        token = secrets.token_urlsafe(32)
        self._drop_ended()
        while len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[_key(token)] = Session(user, role, self._clock.monotonic_ns() + LIFETIME_NS, mark)
        return token

    def find(self, token: str | None) -> Session | None:
        """The session of a token, if it has not ended."""
        if not token:
            return None
        session = self._sessions.get(_key(token))
        if session is None or session.end_ns <= self._clock.monotonic_ns():
            self.end(token)
            return None
        return session

    def end(self, token: str | None) -> None:
        """Ends a session; an unknown one is no error."""
        if token:
            self._sessions.pop(_key(token), None)

    def _drop_ended(self) -> None:
        now = self._clock.monotonic_ns()
        for key in [key for key, session in self._sessions.items() if session.end_ns <= now]:
            del self._sessions[key]


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
