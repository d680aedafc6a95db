"""What a test must be able to do with a device, and what it must know of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from tags.model import Scaling
from tags.types import Value

UNSCALED: Final = Scaling()


@dataclass(frozen=True, slots=True)
class Point:
    """One value of the device.

    Attributes:
        address: As a site has it.
        type: One of `tags.types.TYPES`.
        values: At least two that differ; the device holds each exactly.
        writable: The driver can write it.
        scan_ns: Period at which it is asked, ns.
        scaling: Raw to engineering; `values` are engineering values.
    """

    address: str
    type: str
    values: tuple[Value, ...]
    writable: bool = False
    scan_ns: int = 1_000_000_000
    scaling: Scaling = UNSCALED


class Peer(ABC):
    """A device in the hands of a test: a real one, or an honest stand-in on a real socket or line.

    Everything runs in the event loop of the test; a stand-in with a loop of its own lives in a thread or process. What a
    method has brought about is so when it returns.

    Attributes:
        config: The device's settings as a site has them; a time-out of some 200 ms keeps the tests quick.
    """

    config: Mapping[str, Any]

    @abstractmethod
    async def start(self) -> None:
        """Answers, at the place that `config` names (known from here on); again after `stop`, at the same place."""

    @abstractmethod
    async def stop(self) -> None:
        """Is gone: nobody listens, all connections are dropped. Fine when it is gone already."""

    @abstractmethod
    async def mute(self, muted: bool) -> None:
        """Takes connections and requests and does not answer (True), or answers again (False)."""

    @abstractmethod
    async def put(self, point: Point, value: Value) -> None:
        """The device holds this value from now on."""

    @abstractmethod
    async def get(self, point: Point) -> Value:
        """What the device holds."""


class Given:
    """What the author of a driver sets in a class derived from `DriverContract`.

    Attributes:
        driver: The class that the entry point names.
        points: At least one; together they cover the types and kinds of address that there are.
        absent: A good address that this device refuses to read, or None where there is no such thing.
        read_only: A good address that this device refuses to write, or None.
        heartbeat: Address of a register for the heartbeat, or None when the driver has none.
        bad_addresses: (address, type) that `parse_address` must refuse.
        bad_configs: Settings (over those of the peer) that `Config` must refuse.
        misfits: Points that are right each for itself and wrong together; `check` must report them. Empty where there is
            no such thing.
    """

    driver: ClassVar[Any]
    points: ClassVar[tuple[Point, ...]]
    absent: ClassVar[Point | None] = None
    read_only: ClassVar[Point | None] = None
    heartbeat: ClassVar[str | None] = None
    bad_addresses: ClassVar[tuple[tuple[str, str], ...]] = ()
    bad_configs: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    misfits: ClassVar[tuple[Point, ...]] = ()

    def peer(self) -> Peer:
        """A device of its own, not started yet."""
        raise NotImplementedError(f"{type(self).__name__} must say which device to test with")
