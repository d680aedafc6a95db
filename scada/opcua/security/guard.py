"""Who may open a channel: the trust list asked, what was refused kept and told."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from asyncua.common.utils import ServiceError

from scada.clock import Clock
from scada.opcua.events.audit import Audit
from scada.opcua.security.store import Store
from scada.opcua.security.validate import Problem, check, split
from scada.users import place_of

KEPT_AT_ONCE: Final = 10
"""Refused certificates of one place that are kept; later one a minute: nobody pushes the others' out."""
_EVERY_NS: Final = 60_000_000_000
_PLACES_MAX: Final = 1000


class Guard:
    """Believes certificates or not.

    Args:
        store: The trust list.
        clock: UTC for validity, monotonic for what strangers may cause.
        audit: Where it is told; asked for each time.

    Attributes:
        refused: Certificates that were refused, in all.
    """

    def __init__(self, store: Store, clock: Clock, audit: Callable[[], Audit]) -> None:
        self.store = store
        self._clock = clock
        self._audit = audit
        self._kept: OrderedDict[str, tuple[float, int]] = OrderedDict()  # place: (left, since)
        self.refused = 0

    def admit(self, chain: bytes, address: str) -> list[bytes]:
        """The client's certificate and what came with it, DER.

        Args:
            chain: SenderCertificate of its OpenSecureChannel.
            address: Of its socket.

        Raises:
            ServiceError: It is not believed; the code is for the client.
        """
        try:
            ders = split(chain)
        except ValueError as error:
            raise self._refused(Problem("BadCertificateInvalid", f"{error}."), None, address) from error
        problem = check(ders, self.store.trust(), self.now())
        if problem is not None:
            raise self._refused(problem, ders[0], address)
        return ders

    def believes(self, ders: Sequence[bytes]) -> bool:
        """Whether a certificate that was admitted would be admitted now."""
        return check(ders, self.store.trust(), self.now()) is None

    def now(self) -> dt.datetime:
        """UTC."""
        return dt.datetime.fromtimestamp(self._clock.utc_ns() / 1e9, dt.UTC)

    def mismatch(self, message: str, der: bytes | None) -> ServiceError:
        """Records a certificate that is not for the application that shows it, and gives what to raise."""
        problem = Problem("BadCertificateUriInvalid", message)
        self._audit().certificate(problem.kind, problem.status, der, message)
        return ServiceError(problem.told)

    def _refused(self, problem: Problem, der: bytes | None, address: str) -> ServiceError:
        self.refused += 1
        self._audit().certificate(problem.kind, problem.status, der, problem.message)
        known = der is None or problem.name == "BadCertificateInvalid" or self.store.rejected_before(der)
        if der is not None and not known and self._keeps(place_of(address)):
            self.store.reject(der)  # who tries again and again uses up nothing of the others of his place
        return ServiceError(problem.told)

    def _keeps(self, place: str) -> bool:
        now = self._clock.monotonic_ns()
        left, since = self._kept.pop(place, (float(KEPT_AT_ONCE), now))
        left = min(float(KEPT_AT_ONCE), left + (now - since) / _EVERY_NS)
        self._kept[place] = (left - 1 if left >= 1 else left, now)
        if len(self._kept) > _PLACES_MAX:
            self._kept.popitem(last=False)
        return left >= 1
