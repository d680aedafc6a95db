"""Passwords and certificates of people, checked against the site's users.

A password is hashed beside the event loop: 0.1 s in it would be 0.1 s without values for everybody. Guessing is throttled
before anything is hashed, by user and by source, where a source is a place together with the certificate of the
application: who guesses from one application keeps nobody out who comes from another.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from asyncua.crypto.permission_rules import UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.user_managers import UserManager
from cryptography.hazmat.primitives.asymmetric import rsa

from scada.clock import Clock
from scada.opcua.security.caller import CERTIFICATE, PASSWORD, Caller
from scada.opcua.security.validate import KEY_BITS, Problem, parse, thumbprint
from scada.opcua.security.validate import fingerprint as fingerprint_of
from scada.users import NAME_MAX, PASSWORD_MAX, Throttle, Users, place_of

WAITING_MAX: Final = 8
LoginLog = Callable[[str, str, bool], None]
"""(user, source, accepted): called for each log-in that was checked; a name that nobody has is ""."""


class SiteUsers(UserManager):
    """Checks people against the site's users.

    Args:
        users: The site's users.
        clock: Monotonic: guessing is slowed down by it. UTC: certificates end by it.
        log: Told of each log-in by name.

    Attributes:
        throttled: Log-ins that were refused unchecked, in all.
    """

    def __init__(self, users: Users, clock: Clock, log: LoginLog) -> None:
        self._users = users
        self._clock = clock
        self._per_user = Throttle(clock)
        self._per_place = Throttle(clock, free=30)
        self._log = log
        self._hasher = ThreadPoolExecutor(1, "password")
        self._waiting = 0
        self.throttled = 0
        self.checked: Caller | None = None  # of the session that is being activated

    async def by_password(
        self, name: str, password: str, address: str, application: bytes | None
    ) -> Caller | None:
        """Who has this name and password; None for nobody, or when it was tried too often.

        Args:
            name: As the client sent it.
            password: As well.
            address: Of its socket.
            application: Its certificate, DER.
        """
        if not 0 < len(name) <= NAME_MAX or len(password) > PASSWORD_MAX:
            return None
        place = place_of(address)
        source = _source(place, application)
        key = f"{name}@{source}"
        if (
            not self._per_user.allowed(key)
            or not self._per_place.allowed(source)
            or self._waiting >= WAITING_MAX
        ):
            self.throttled += 1
            return None
        self._waiting += 1
        mark = self._users.mark(name)
        try:
            role = await asyncio.get_running_loop().run_in_executor(
                self._hasher, self._users.verify, name, password
            )
        finally:
            self._waiting -= 1
        if role is None:
            self._per_user.failed(key)
            self._per_place.failed(source)
            # A name that nobody has may be a password typed into the wrong field: it is not recorded.
            self._log(name if name in self._users.roles() else "", place, False)
            return None
        if self._users.mark(name) != mark:  # changed while it was hashed
            return None
        self._per_user.succeeded(key)
        self._log(name, place, True)
        return Caller(role=UserRole.User, name=name, site_role=role, mark=mark, auth=PASSWORD)

    def by_certificate(self, der: bytes, address: str, application: bytes | None) -> Caller | None:
        """Whose certificate this is; None for nobody's, when it has ended, or when others were tried too often.

        Its signature was verified before.

        Args:
            der: The person's certificate.
            address: Of the client's socket.
            application: Its certificate, DER.
        """
        place = place_of(address)
        source = _source(place, application)
        if not self._per_place.allowed(source):
            self.throttled += 1
            return None
        certificate = parse(der)
        fingerprint = fingerprint_of(der)
        name = self._users.owner(fingerprint)
        if isinstance(certificate, Problem) or name is None:
            self._per_place.failed(source)
            self._log("", place, False)
            return None
        key = certificate.public_key()
        now = dt.datetime.fromtimestamp(self._clock.utc_ns() / 1e9, dt.UTC)
        if (
            not isinstance(key, rsa.RSAPublicKey)
            or key.key_size < KEY_BITS[0]
            or not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
        ):
            self._per_place.failed(source)
            self._log(name, place, False)
            return None
        self._log(name, place, True)
        return Caller(
            role=UserRole.User,
            name=name,
            site_role=self._users.roles()[name],
            mark=self._users.mark(name, fingerprint),
            certificate=fingerprint,
            auth=CERTIFICATE,
        )

    def still(self, caller: Caller) -> bool:
        """Whether a caller has the role and the password or certificate yet that he signed in with."""
        if caller.name is None:
            return False
        return self._users.mark(caller.name, caller.certificate) == caller.mark

    def get_user(
        self,
        iserver: InternalServer,
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,
    ) -> Caller | None:
        """The caller who was checked before (`Session.admit`), or None to refuse."""
        del iserver, username, password, certificate
        caller, self.checked = self.checked, None
        return caller


def _source(place: str, application: bytes | None) -> str:
    return f"{place} {thumbprint(application)}" if application else place
