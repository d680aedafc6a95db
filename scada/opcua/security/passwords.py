"""Names and passwords: checked beside the event loop, throttled by user and by source before anything is hashed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from asyncua.crypto.permission_rules import UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.user_managers import UserManager

from scada.clock import Clock
from scada.opcua.security.caller import PASSWORD, Caller
from scada.users import NAME_MAX, PASSWORD_MAX, Throttle, Users, place_of

WAITING_MAX: Final = 8
LoginLog = Callable[[str, str, bool], None]
"""(user, source, accepted): called for each password that was checked; a name that nobody has is ""."""


class SiteUsers(UserManager):
    """Checks names and passwords against the site's users.

    Args:
        users: The site's users.
        clock: Monotonic; guessing is slowed down by it.
        log: Told of each log-in by name.
    """

    def __init__(self, users: Users, clock: Clock, log: LoginLog) -> None:
        self._users = users
        self._per_user = Throttle(clock)
        self._per_place = Throttle(clock, free=30)
        self._log = log
        self._hasher = ThreadPoolExecutor(1, "password")
        self._waiting = 0
        self.checked: Caller | None = None  # of the session that is being activated

    async def check(self, name: str, password: str, place: str) -> Caller | None:
        """Who has this name and password; None for nobody, or when it was tried too often."""
        if not 0 < len(name) <= NAME_MAX or len(password) > PASSWORD_MAX:
            return None
        place = place_of(place)
        key = f"{name}@{place}"
        if not self._per_user.allowed(key) or not self._per_place.allowed(place):
            return None
        if self._waiting >= WAITING_MAX:
            return None
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
            self._log(name if name in self._users.roles() else "", place, False)
            return None
        self._per_user.succeeded(key)
        self._log(name, place, True)
        return Caller(
            role=UserRole.User, name=name, site_role=role, mark=self._users.mark(name), auth=PASSWORD
        )

    def still(self, caller: Caller) -> bool:
        """Whether a caller has the role and the password yet that he signed in with."""
        return caller.name is not None and self._users.mark(caller.name) == caller.mark

    def get_user(
        self,
        iserver: InternalServer,
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,
    ) -> Caller | None:
        """The caller, or None to refuse; a password was checked before (`Session.check`)."""
        del iserver, password, certificate
        if username is None:
            return Caller(role=UserRole.User, name=None)
        caller, self.checked = self.checked, None
        return caller if caller and caller.name == username else None
