"""What the field service asks of a driver; one class per protocol implements it.

A driver is announced by the entry point group `scada.drivers`: a class with `Config`, `parse_address` and `check` (all
that a site compiler needs, cheap to import). A field service makes one instance of it, `Driver(clock)`; its
`session(config, tags)` makes the working part below for each device, and it keeps what devices share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

TIMEOUT: Final = "timeout"
MISMATCH: Final = "mismatch"
CLOSED: Final = "closed"


class NoReplyError(Exception):
    """No right reply came: whether the device acted is unknown, and no late reply will answer another request.

    Attributes:
        kind: `timeout`: nothing came in time; `mismatch`: something came that does not answer the request; `closed`:
            there is no connection (any more).
    """

    def __init__(self, text: str, kind: str = TIMEOUT) -> None:
        super().__init__(text)
        self.kind = kind


class RefusedError(Exception):
    """The device answered that it will not.

    Attributes:
        code: Exception code, 1 … 252.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Reading:
    """Values that were read, each column of shape (n,). Valid until the next reading of the same group.

    Attributes:
        members: Positions in the device's tags.
        bits: Value bits by the tags' types; where the status is Bad, those of the last usable value.
        status: StatusCodes.
        source_ns: When the reply came, ns UTC.
        texts: Texts of the string tags that were read, by position.
    """

    members: npt.NDArray[np.intp]
    bits: npt.NDArray[np.uint64]
    status: npt.NDArray[np.uint32]
    source_ns: npt.NDArray[np.int64]
    texts: dict[int, str]


class Link(Protocol):
    """The connection of a device."""

    errors: int
    failures: int
    good_ns: int
    next_try_ns: int

    @property
    def open(self) -> bool:
        """Whether requests may be sent."""
        ...

    async def connect(self) -> bool:
        """Tries once; sets `next_try_ns` when it fails."""
        ...

    def close(self) -> None:
        """Drops the connection."""
        ...

    def latency_ms(self) -> tuple[float, float]:
        """p50 and p99 of the last replies, ms."""
        ...


class Session(Protocol):
    """One device at work. One call at a time; positions are positions in the tags it was made with."""

    periods: tuple[tuple[int, int], ...]
    """Period and phase of each scan group, ns."""
    timeout_ns: int
    """Longest wait for a reply, ns."""

    @property
    def link(self) -> Link:
        """Its connection."""
        ...

    def count(self, group: int) -> int:
        """Number of requests of a group; may change after `reading`."""
        ...

    def place(self, position: int) -> tuple[int, int]:
        """Group and request that read a tag."""
        ...

    async def fetch(self, group: int, number: int, most: int = 0) -> int:
        """Sends the next requests of a group, from `number` on: `most`, or as many as may be on their way at once.

        Returns how many were answered, at least 1. Raises NoReplyError.
        """
        ...

    def reading(self, group: int, only: int | None = None) -> Reading:
        """What the last fetches brought; with `only`, of one request."""
        ...

    def quantiser(self, positions: Sequence[int]) -> Quantiser:
        """Makes commands comparable with what is read back."""
        ...

    async def write(self, position: int, bits: int, text: str) -> None:
        """Writes one value. Raises ValueError, RefusedError or NoReplyError."""
        ...

    def together(self, positions: Sequence[int]) -> list[int]:
        """Which of some outputs go in one request with the first: positions in `positions`, the first among them."""
        del positions
        return [0]

    async def write_together(self, values: Sequence[tuple[int, int, str]]) -> None:
        """Writes values (position, bits, text) that `together` gave: all or none of them.

        Raises ValueError, RefusedError or NoReplyError.
        """
        for position, bits, text in values:
            await self.write(position, bits, text)

    async def write_counter(self, address: dict[str, Any], value: int) -> None:
        """Writes the heartbeat counter. Raises RefusedError or NoReplyError."""
        ...

    async def read_counter(self, address: dict[str, Any]) -> int:
        """Reads the heartbeat counter back. Raises RefusedError or NoReplyError."""
        ...


class Quantiser(Protocol):
    """Commands as the device would read them back."""

    def __call__(self, bits: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
        """Quantised bits, and a mask of those that cannot be written."""
        ...
