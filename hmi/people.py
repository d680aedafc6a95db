"""Signing in and out: throttled first, one password hashed at a time, a random session in a cookie."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from fastapi import HTTPException, Request, Response

from hmi.sessions import LIFETIME_NS, Session, Sessions
from scada.clock import Clock
from scada.users import Throttle, Users, place_of

WAITING_MAX: Final = 8


class People:
    """Who may do what at this server.

    Args:
        users: The site's.
        clock: Monotonic.
        cookie: Name of the session cookie; browsers do not keep cookies of two ports apart, names do.
        event: Records a log-in event: called with its fields.
    """

    def __init__(self, users: Users, clock: Clock, cookie: str, event: Callable[..., None]) -> None:
        self._users, self._cookie, self._event = users, cookie, event
        self.sessions = Sessions(clock)
        self._per_user = Throttle(clock)
        self._per_place = Throttle(clock, free=30)
        self._hasher = ThreadPoolExecutor(1, "password")
        self._waiting = 0

    def close(self) -> None:
        """Ends the hashing thread."""
        self._hasher.shutdown(wait=True, cancel_futures=True)

    def who(self, request: Request) -> Session | None:
        """The session of a request, if its user still has the role and the password that it began with."""
        token = request.cookies.get(self._cookie)
        session = self.sessions.find(token)
        if session and self._users.mark(session.user) != session.mark:
            self.sessions.end(token)
            return None
        return session

    async def sign_in(self, request: Request, response: Response, name: str, password: str) -> Session:
        """Checks a password and starts a session.

        Raises:
            HTTPException: 401 wrong, 429 too many tries, 503 too many waiting.
        """
        place = place_of(request.client.host if request.client else "?")
        key = f"{name}@{place}"
        wait = max(self._per_user.wait_s(key), self._per_place.wait_s(place))
        if wait > 0:
            raise HTTPException(
                429, f"Too many wrong passwords. Try again in {wait:.0f} s.", {"retry-after": f"{wait:.0f}"}
            )
        if self._waiting >= WAITING_MAX:
            raise HTTPException(503, "Too many people are signing in. Try again in a moment.")
        self._waiting += 1
        try:
            role = await asyncio.get_running_loop().run_in_executor(
                self._hasher, self._users.verify, name, password
            )
        finally:
            self._waiting -= 1
        if role is None:
            self._per_user.failed(key)
            self._per_place.failed(place)
            # A name that nobody has may be a password typed into the wrong field: it is not recorded.
            known = name if name in self._users.roles() else ""
            self._event("login", user=known, done="refused", address=place, source="hmi")
            raise HTTPException(401, "Name or password is wrong.")
        self._per_user.succeeded(key)
        self.sessions.end(request.cookies.get(self._cookie))
        token = self.sessions.start(name, role, self._users.mark(name))
        response.set_cookie(
            self._cookie, token, max_age=LIFETIME_NS // 10**9, httponly=True, samesite="strict", path="/"
        )
        self._event("login", user=name, done="signed in", address=place, source="hmi")
        session = self.sessions.find(token)
        assert session is not None
        return session

    def sign_out(self, request: Request, response: Response) -> None:
        """Ends the session of a request; without one nothing happens."""
        token = request.cookies.get(self._cookie)
        if session := self.sessions.find(token):
            self._event(
                "login", user=session.user, done="signed out", source="hmi",
                address=request.client.host if request.client else "?",
            )  # fmt: skip
        self.sessions.end(token)
        response.delete_cookie(self._cookie, path="/", httponly=True, samesite="strict")
