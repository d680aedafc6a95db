"""The requests of one device that are due together, and what they brought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from scada.clock import Clock
from scada.field.driver import Reading
from scada.field.modbus.config import Config
from scada.field.modbus.decode import Buffer, Decoder, Point, Status, exception_status
from scada.field.modbus.link import Link
from scada.field.modbus.plan import Request
from scada.modbus import wire
from scada.modbus.wire import Ask
from tags import quality

Stamps = npt.NDArray[np.int64]

_ADDRESS_ERRORS: Final = frozenset({2, 3})  # a hole in the block: ask for less at once


def overlaid(status: Status, failure: Status) -> Status:
    """Qualities with what became of the requests laid over them: a broken sensor stays broken in a device that is busy.

    Args:
        status: Of the values, as decoded.
        failure: Of their requests; Good where it was answered.
    """
    over: Status = np.where((failure != 0) & (failure >> 30 >= status >> 30), failure, status)
    return over


class Group:
    """The requests of one period with what they brought.

    Args:
        link: Of the device.
        clock: For time stamps.
        points: All points of the device; the requests' members are positions in it.
        requests: Of the group.
        config: Of the device.

    Attributes:
        requests: As given.
        points: As given.
        config: As given.
        refused: Which requests the device has refused for their addresses.
        replaced: The device asks something else now: a block had a hole.
    """

    def __init__(
        self,
        link: Link,
        clock: Clock,
        points: Sequence[Point],
        requests: Sequence[Request],
        config: Config,
    ) -> None:
        self.requests = tuple(requests)
        self.points = points
        self.config = config
        self.replaced = False
        self._link = link
        self._clock = clock
        self._asks: list[Ask] = [link.prepare(wire.read(r.table, r.start, r.count)) for r in requests]
        self._decoder = Decoder(points, requests, config)
        self._counts = np.array([len(request.members) for request in requests])
        self._stamps: Stamps = np.zeros(len(requests), np.int64)
        self._times = memoryview(self._stamps.data)  # the same; one element costs less
        self._failure = np.full(len(requests), quality.BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        self._got = [False] * len(requests)
        self._right = [False] * len(requests)  # the last answer was a value
        self.refused = [False] * len(requests)

    async def fetch(self, number: int, most: int) -> int:
        """Sends requests from `number` on, keeps their answers; returns how many. Raises NoReplyError."""
        answers = await self._link.ask_all(self._asks[number : number + most])
        began = self._clock.utc_ns() - self._link.good_ns  # just now
        position = number
        for answer, heard in zip(answers, self._link.heard_ns, strict=True):
            if isinstance(answer, int):
                self._refuse(position, answer)
            else:
                self._decoder.put(position, answer[1:])
                if not self._right[position]:
                    self._be_right(position)
            self._times[position] = began + heard
            position += 1
        return len(answers)

    def _be_right(self, number: int) -> None:
        self._right[number] = True
        self._failure[number] = quality.GOOD
        self._got[number] = True
        self.refused[number] = False

    def _refuse(self, number: int, code: int) -> None:
        self._right[number] = False
        status = exception_status(code)
        if status == quality.UNCERTAIN_LAST_USABLE and not self._got[number]:
            status = quality.BAD_DEVICE_FAILURE
        self._failure[number] = status
        self.refused[number] = code in _ADDRESS_ERRORS

    def take_over(self, number: int, old: Group, old_number: int) -> None:
        """Knows of a request what an earlier group of the same tags knew of one that was refused."""
        self._failure[number] = old._failure[old_number]
        self._stamps[number] = old._stamps[old_number]
        self.refused[number] = True

    @property
    def members(self) -> npt.NDArray[np.intp]:
        """Positions of its tags in the device's tags, request by request."""
        return self._decoder.members

    @property
    def size(self) -> int:
        """Bytes of the payloads of all requests, as they lie in a buffer."""
        return self._decoder.size

    @property
    def right(self) -> bool:
        """Whether the last answer to each request was a value."""
        return all(self._right)

    @property
    def has_texts(self) -> bool:
        """Whether strings are among its tags."""
        return bool(self._decoder.texts)

    def use(self, buffer: Buffer, stamps: Stamps, failure: Status) -> None:
        """From now on payloads, times and failures of all requests are kept here, in slices of larger arrays."""
        self._decoder.use(buffer)
        stamps[:], failure[:] = self._stamps, self._failure
        self._stamps, self._failure = stamps, failure
        self._times = memoryview(stamps.data)

    def reading(self, only: int | None) -> Reading:
        """What the last fetches brought; with `only`, of one request."""
        decoder = self._decoder
        bits, status = decoder.decode()
        if self._failure.any():
            status = overlaid(status, self._failure[decoder.request_of])
        stamps = np.repeat(self._stamps, self._counts)
        members = decoder.members
        texts = {int(members[n]): decoder.text(n) for n in decoder.texts if status[n] == 0}
        if only is None:
            return Reading(members, bits, status, stamps, texts)
        mine = np.flatnonzero(decoder.request_of == only)
        return Reading(members[mine], bits[mine], status[mine], stamps[mine], texts)
