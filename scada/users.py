"""People: names, argon2id hashes, certificates and roles in one file of the data directory, and a throttle for log-ins.

The file is JSON, mode 0600, replaced as a whole. There is no default user and no default password.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from scada.access import ROLES
from scada.clock import Clock
from scada.datadir import write_file

PASSWORD_LENGTH_MIN: Final = 10
PASSWORD_MAX: Final = 1024  # characters; what is longer is no password of ours
NAME_MAX: Final = 32
_NAME: Final = re.compile(r"[a-z][a-z0-9._-]{0,31}")


def _nobodys_hash(hasher: PasswordHasher) -> str:
    """A hash that no password has: an unknown name costs as much time as a wrong password.

    Put together, not computed: computing one would cost every process that imports this 0.2 s.
    """

    def text(size: int) -> str:
        return base64.b64encode(os.urandom(size)).decode().rstrip("=")

    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${text(hasher.salt_len)}${text(hasher.hash_len)}"


class Users:
    """The users of a site.

    Args:
        path: The file; it need not exist.
        hasher: What hashes; None for argon2id as RFC 9106 recommends it.
    """

    def __init__(self, path: Path, hasher: PasswordHasher | None = None) -> None:
        self._path = path
        self._hasher = hasher or PasswordHasher()
        self._nobody = {"hash": _nobodys_hash(self._hasher), "role": ""}

    def add(self, name: str, password: str, role: str) -> None:
        """Adds a user, or gives an existing one a new password and role.

        Args:
            name: Lower-case letter first, then letters, digits, dot, dash; at most 32.
            password: At least `PASSWORD_LENGTH_MIN` characters.
            role: One of `scada.access.ROLES`.

        Raises:
            ValueError: Says which of the three is not acceptable.
            OSError: The file cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no user name: lower-case letters, digits, dot, dash, at most 32")
        if role not in ROLES:
            raise ValueError(f"{role!r} is no role. Choose one of {', '.join(ROLES)}.")
        if len(password) < PASSWORD_LENGTH_MIN:
            raise ValueError(
                f"the password has {len(password)} characters; take at least {PASSWORD_LENGTH_MIN}"
            )
        table = self._read()
        kept = table.get(name, {}).get("certificates", {})
        table[name] = {"hash": self._hasher.hash(password), "role": role}
        if kept:
            table[name]["certificates"] = kept
        self._write(table)

    def remove(self, name: str) -> None:
        """Takes a user away; his sessions end.

        Raises:
            ValueError: There is no such user.
            OSError: The file cannot be written.
        """
        table = self._read()
        if table.pop(name, None) is None:
            raise ValueError(f"there is no user {name!r}")
        self._write(table)

    def allow(self, name: str, fingerprint: str, subject: str) -> None:
        """Lets a user sign in with a certificate.

        Args:
            name: Of the user.
            fingerprint: SHA-256 of the certificate, hex.
            subject: Of the certificate, for people.

        Raises:
            ValueError: There is no such user, or another one has the certificate.
            OSError: The file cannot be written.
        """
        table = self._read()
        if name not in table:
            raise ValueError(f"there is no user {name!r}. Add one with scada user add.")
        owner = self.owner(fingerprint)
        if owner is not None and owner != name:
            raise ValueError(f"{owner} has this certificate already: one person each")
        table[name].setdefault("certificates", {})[fingerprint] = subject
        self._write(table)

    def disallow(self, name: str, fingerprint: str) -> None:
        """Takes a certificate from a user; sessions that began with it end.

        Args:
            name: Of the user.
            fingerprint: SHA-256 of the certificate, hex, or how it begins.

        Raises:
            ValueError: The user has no such certificate.
            OSError: The file cannot be written.
        """
        table = self._read()
        certificates = table.get(name, {}).get("certificates", {})
        found = [known for known in certificates if known.startswith(fingerprint.lower()) and fingerprint]
        if len(found) != 1:
            raise ValueError(f"{name} has {len(found)} certificates whose fingerprint begins so")
        del certificates[found[0]]
        self._write(table)

    def owner(self, fingerprint: str) -> str | None:
        """The user who has a certificate.

        Args:
            fingerprint: SHA-256 of the certificate, hex.
        """
        for name, entry in self._read().items():
            if fingerprint in entry.get("certificates", {}):
                return name
        return None

    def certificates(self, name: str) -> dict[str, str]:
        """Fingerprint → subject of what a user may sign in with."""
        return dict(self._read().get(name, {}).get("certificates", {}))

    def verify(self, name: str, password: str) -> str | None:
        """The role of a user whose password is right, else None. Takes the time of one argon2id hash always."""
        entry = self._read().get(name, self._nobody)
        try:
            self._hasher.verify(entry["hash"], password)
        except (VerificationError, InvalidHashError):
            return None
        role: str = entry["role"]
        return role or None

    def roles(self) -> dict[str, str]:
        """Name → role of every user."""
        return {name: entry["role"] for name, entry in self._read().items()}

    def mark(self, name: str, fingerprint: str = "") -> str:
        """What a session remembers of its user: another one when what it began with was changed.

        Args:
            name: Of the user.
            fingerprint: Of the certificate that he signed in with; "" for a password.

        Returns:
            Of the role and the password or certificate; "" for nobody.
        """
        entry = self._read().get(name)
        if not entry or (fingerprint and fingerprint not in entry.get("certificates", {})):
            return ""
        return hashlib.sha256(f"{entry['role']} {fingerprint or entry['hash']}".encode()).hexdigest()

    def _write(self, table: dict[str, dict[str, Any]]) -> None:
        write_file(self._path, orjson.dumps(table, option=orjson.OPT_INDENT_2))

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            table: dict[str, dict[str, Any]] = orjson.loads(self._path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except orjson.JSONDecodeError as error:
            raise ValueError(
                f"{self._path} is damaged. Restore it, or remove it and add all users anew"
            ) from error
        return table


def place_of(address: str) -> str:
    """The place that an address stands for: who has one address of a place has them all.

    This machine has 2**24 addresses, a host with IPv6 usually 2**64.

    Args:
        address: IPv4 or IPv6, perhaps with a zone; anything else is its own place.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    if found.is_loopback:
        return "127.0.0.1"
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


@dataclass(slots=True)
class _Tries:
    count: int
    until_ns: int
    last_ns: int


class Throttle:
    """Lets few wrong log-ins through before any password is hashed (IEC 62443-4-2 CR 1.11).

    After `free` failures of one key each further failure doubles the wait, from 1 s to 60 s. A key is a user
    and a source together, so that nobody is locked out from another place. A quarter of an hour without a failure is a
    new beginning. At most `KEYS_MAX` keys are remembered; beyond that the oldest are forgotten.

    Args:
        clock: Monotonic time.
        free: Failures before the first wait.
    """

    KEYS_MAX: Final = 10_000
    FORGET_NS: Final = 15 * 60 * 1_000_000_000

    def __init__(self, clock: Clock, free: int = 5) -> None:
        self._clock = clock
        self._free = free
        self._tries: dict[str, _Tries] = {}

    def wait_s(self, key: str) -> float:
        """Seconds until this key may try again; 0 when it may now."""
        tries = self._tries.get(key)
        return max(0.0, (tries.until_ns - self._clock.monotonic_ns()) / 1e9) if tries else 0.0

    def allowed(self, key: str) -> bool:
        """True when this key may try now."""
        return self.wait_s(key) == 0.0

    def failed(self, key: str) -> None:
        """Counts a failure."""
        now = self._clock.monotonic_ns()
        tries = self._tries.pop(key, None)
        if tries is None or now - tries.last_ns > self.FORGET_NS:
            tries = _Tries(0, 0, now)
        tries.count += 1
        tries.last_ns = now
        if tries.count >= self._free:
            tries.until_ns = now + min(60, 2 ** min(6, tries.count - self._free)) * 1_000_000_000
        self._tries[key] = tries
        if len(self._tries) > self.KEYS_MAX:
            del self._tries[next(iter(self._tries))]

    def succeeded(self, key: str) -> None:
        """Forgets the failures of a key."""
        self._tries.pop(key, None)
