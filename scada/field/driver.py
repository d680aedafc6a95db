"""What the field service asks of a driver; one class per protocol implements it.

A driver is announced by the entry point group `scada.drivers`: one class. What a site compiler needs stands on the class:
`Config`, a frozen pydantic model that forbids unknown keys; `parse_address(text, type, config)`, the address of a tag as
JSON, or ValueError with a sentence; `check(config, tags)`, what is wrong about all tags of one device together, as (path,
sentence). They are static, and importing them is cheap. A `Config` that has a field `order` gets that of a tag in
`parse_address`. Paths of files in a `Config` are made absolute by the validation context's `folder`, that of the site.

More static methods are looked for and need not be there:

* `element(address, index, step)`: the address of an element of an array; without it the driver has no arrays.
* `together(devices)`: what contradicts itself among all devices, given as (Device, config): (device, sentence) of each.
* `budget(devices)`: what polling costs, of devices given as (Device, config, tags): an object with `loads`, `problems` and
  `notes` as `scada.field.modbus.budget.Budget` has them.
* `dated(config, utc_ns)`: what of the settings is of no use now or soon (certificates, ports), as (now, sentence); it is
  told and refuses no start.

An instance may have `joint(groups)`: many groups, given as (session, group), decoded together as `scada.field.batch.Joint`
says, where that costs less than one by one.

A field service makes one instance of the class, `Driver(clock)`; its `session(config, tags)` makes the working part below
for each device, and it keeps what devices share. Everything runs in one event loop: nothing here may block it.

Two rules above all others. A value is Good only when this device said it in answer to this request: a late, cut or foreign
reply is no reply. And a write is sent at most once: when its reply does not come, the outcome is unknown, and field
reads back. `docs/how-to/write-a-driver.md` has a whole example, `scada.field.contract` the tests, `scada.field.connection` a
connection to build on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

TIMEOUT: Final = "timeout"
MISMATCH: Final = "mismatch"
CLOSED: Final = "closed"
EXCEPTION: Final = "exception"
CONNECT: Final = "connect"
KINDS: Final = (TIMEOUT, MISMATCH, CLOSED, EXCEPTION, CONNECT)
"""Kinds of errors that a link counts: those of NoReplyError, refused requests, and connections that failed."""


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


class WithdrawnError(Exception):
    """It was not sent: while it waited for its turn it was taken back, or something more urgent came."""


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
    """The connection of a device, or its part of a connection that several share.

    Attributes:
        errors: Requests without a right reply, and refused ones, since start.
        errors_by_kind: The same by `KINDS`; `connect` counts connections that failed.
        failures: Failures (connect or reply) since the last right reply; 0 after one.
        good_ns: Monotonic time of the last right reply, ns; 0 for never. A refusal is one: the device lives.
        next_try_ns: `connect` is not called before this, ns monotonic.
        reason: What failed last, for people.
    """

    errors: int
    errors_by_kind: dict[str, int]
    failures: int
    good_ns: int
    next_try_ns: int
    reason: str

    @property
    def open(self) -> bool:
        """Whether requests may be sent. False after a NoReplyError, until `connect` was True again."""
        ...

    async def connect(self) -> bool:
        """Tries once, within the device's time-out.

        Returns:
            Whether it is open now. When not, `next_try_ns` says when to try again: at once after the first failure, later
            each time, never more than a few seconds later.
        """
        ...

    def close(self) -> None:
        """Drops the connection; may be called at any time, again and again. It may be connected anew."""
        ...

    def latency_ms(self) -> tuple[float, float]:
        """p50 and p99 of the last replies, ms; zeros before the first."""
        ...


class Session(Protocol):
    """One device at work. Positions are positions in the tags it was made with.

    One call at a time: field awaits each before the next. A call that is cancelled leaves nothing behind that could answer
    a later one. Derive from this class to have those methods that not every protocol needs: `together`, `write_together`, and the
    heartbeat's.
    """

    periods: tuple[tuple[int, int], ...]
    """Period and phase of each scan group, ns: the tags with the same `scan_ns` (a second for 0) make one group. The phase
    is between 0 and the period: field begins so long after the start, so that groups do not bunch."""
    timeout_ns: int
    """Longest wait for a reply, ns."""

    @property
    def link(self) -> Link:
        """Its connection."""
        ...

    def count(self, group: int) -> int:
        """Number of requests of a group; may change after `reading`, when the device has refused some."""
        ...

    def place(self, position: int) -> tuple[int, int]:
        """Group and request that read a tag, as of now."""
        ...

    async def fetch(self, group: int, number: int, most: int = 0) -> int:
        """Sends the next requests of a group and keeps their answers for `reading`.

        What a device refuses is kept as well: its tags are Bad in the reading, and nothing is raised.

        Args:
            group: Which.
            number: Position of the first request, below `count(group)`.
            most: Requests at most; 0 for as many as may be on their way at once.

        Returns:
            How many were answered, at least 1.

        Raises:
            NoReplyError: There is no connection, or one had no right reply. What was answered before counts all the same.
            WithdrawnError: See `hurry`; nothing was sent.
        """
        ...

    def hurry(self, urgent: Callable[[], bool]) -> None:
        """Called often, also while a fetch is awaited.

        A fetch that still waits for its turn, as on a shared connection, ends with WithdrawnError if `urgent` says that
        something is to be written. It keeps its place for the next one.
        """
        del urgent

    def permit(self, wanted: Callable[[], bool]) -> None:
        """Called before each write (and heartbeat): a driver whose writes may have to wait asks `wanted` right before it sends.

        When the answer is no, the write ends with WithdrawnError. What was disarmed, taken back or too late meanwhile is not
        written.
        """
        del wanted

    def reading(self, group: int, only: int | None = None) -> Reading:
        """What the last fetches of a group brought; what was never fetched is Bad.

        Args:
            group: Which.
            only: Position of one request, to leave out the others; None for all.
        """
        ...

    def quantiser(self, positions: Sequence[int]) -> Quantiser:
        """Makes commands of these tags comparable with what is read back."""
        ...

    async def write(self, position: int, bits: int, text: str) -> None:
        """Writes one value, once.

        Args:
            position: Of the tag.
            bits: By the tag's type, as the quantiser gave them; 0 for a text.
            text: For a string tag.

        Raises:
            ValueError: It cannot be written; nothing was sent.
            RefusedError: The device will not.
            NoReplyError: Whether it was written is unknown.
            WithdrawnError: See `permit`; nothing was sent.
        """
        ...

    def together(self, positions: Sequence[int]) -> list[int]:
        """Which of some outputs go in one request with the first: positions in `positions`, the first among them."""
        del positions
        return [0]

    async def write_together(self, values: Sequence[tuple[int, int, str]]) -> None:
        """Writes values (position, bits, text) that `together` gave, in one request: all or none of them.

        Raises:
            ValueError: One cannot be written; nothing was sent.
            RefusedError: The device will not; none was written.
            NoReplyError: Whether they were written is unknown.
        """
        for position, bits, text in values:
            await self.write(position, bits, text)

    async def write_counter(self, address: dict[str, Any], value: int) -> None:
        """Writes the heartbeat counter.

        Args:
            address: Of a uint16, as `parse_address` gave it.
            value: 0 … 65535.

        Raises:
            RefusedError: The device will not.
            NoReplyError: No right reply.
        """
        raise NotImplementedError("this driver has no heartbeat: its parse_address refuses a uint16")

    async def read_counter(self, address: dict[str, Any]) -> int:
        """Reads the heartbeat counter back, 0 … 65535.

        Raises:
            RefusedError: The device will not.
            NoReplyError: No right reply.
        """
        raise NotImplementedError("this driver has no heartbeat: its parse_address refuses a uint16")


class Quantiser(Protocol):
    """Commands as the device would read them back: rounded to its steps, held in its limits.

    Applied twice it changes nothing more.
    """

    def __call__(self, bits: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
        """Quantises commands.

        Args:
            bits: Shape (n,), value bits by the tags' types.

        Returns:
            Bits that would be read back, and a mask of commands that cannot be written at all (NaN, infinity).
        """
        ...
