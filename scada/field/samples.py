"""What is published of one device's tags: what was read, and forced values over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from scada.field.driver import Reading
from tags import quality, types
from tags.model import Tag
from tags.publish import Publisher

Positions = npt.NDArray[np.intp]
MANY: Final = 32
"""From so many on tags that lie side by side are published as one piece."""
SIDES_MOST: Final = 64


class Samples:
    """The tags of one device, or of all devices of the service, as columns.

    Args:
        publisher: Of this service.
        tags: In the order of the columns.

    Attributes:
        bits: Shape (n,), last usable value as read.
        status: Shape (n,), as read.
        source_ns: Shape (n,), when that was, ns UTC.
        aux: Shape (n,), what field acted on (see `commands`).
        any_forced: Whether `force` has left some of them forced; of all devices together it says nothing.
    """

    def __init__(self, publisher: Publisher, tags: Sequence[Tag]) -> None:
        n = len(tags)
        self._publisher = publisher
        self._rows = np.array([tag.row for tag in tags], np.intp)
        self._position = {tag.path: i for i, tag in enumerate(tags)}
        self._text = np.array([tag.type == types.STRING for tag in tags], np.bool_)
        self._any_text = bool(self._text.any())
        self.bits = publisher.image.value[self._rows]
        self.status = np.full(n, quality.BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        self.source_ns = np.zeros(n, np.int64)
        self.aux = publisher.image.aux[self._rows]  # what an earlier life had acted on stays known
        self.any_forced = False
        self._forced = np.zeros(n, np.bool_)
        self._forced_bits = np.zeros(n, np.uint64)
        self._forced_ns = np.zeros(n, np.int64)
        self._all = np.arange(n, dtype=np.intp)
        self._sides: dict[int, tuple[Positions, slice | None]] = {}

    def part(self, first: int, tags: Sequence[Tag]) -> Samples:
        """Some of these, side by side, for themselves: what is taken here is seen there, and the other way round.

        Args:
            first: Position of the first one.
            tags: They.
        """
        one, mine = Samples(self._publisher, tags), slice(first, first + len(tags))
        one.bits, one.aux = self.bits[mine], self.aux[mine]
        one.status, one.source_ns = self.status[mine], self.source_ns[mine]
        one._forced, one._forced_bits = self._forced[mine], self._forced_bits[mine]
        one._forced_ns = self._forced_ns[mine]
        return one

    def start(self, utc_ns: int, now_ns: int) -> None:
        """Nothing has been read yet."""
        self.fail(quality.BAD_WAITING_FOR_INITIAL_DATA, utc_ns, now_ns)

    def take(self, reading: Reading, now_ns: int) -> None:
        """Publishes what was read."""
        at = reading.members
        if len(at) >= MANY and (where := self._known_side(at)) is not None:
            self.take_range(where, reading, now_ns)
            return
        usable = (reading.status >> 30) < 2
        usable &= ~self._text[at]
        self.bits[at[usable]] = reading.bits[usable]
        self.status[at] = reading.status
        self.source_ns[at] = reading.source_ns
        for position, text in reading.texts.items():
            row = int(self._rows[position])
            data = text.encode()[: types.STRING_BYTES_MAX].decode("utf-8", "ignore")
            source = int(self.source_ns[position])
            self._publisher.put_value(row, data, quality.GOOD, source, now_ns, int(self.aux[position]))
            self.bits[position] = self._publisher.image.value[row]
        self.publish(at, now_ns)

    def take_range(self, where: slice, reading: Reading, now_ns: int) -> None:
        """Publishes what was read of tags side by side, none of them a text, whose rows are side by side, too.

        Args:
            where: Their positions.
            reading: Of them, in their order; its members do not count.
            now_ns: Monotonic, ns.
        """
        bits, status = reading.bits, reading.status
        if status.any():
            bits = np.where((status >> 30) < 2, bits, self.bits[where])
        self.bits[where], self.status[where], self.source_ns[where] = bits, status, reading.source_ns
        if self._forced[where].any():
            self.publish(self._all[where], now_ns)
            return
        first = int(self._rows[where.start])
        rows = slice(first, first + where.stop - where.start)
        self._publisher.put(rows, bits, status, reading.source_ns, now_ns, self.aux[where])

    def _known_side(self, positions: Positions) -> slice | None:
        """As `side_by_side`, worked out once for each array: those of a scan group are the same each time."""
        known = self._sides.get(id(positions))
        if known is None or known[0] is not positions:
            if len(self._sides) >= SIDES_MOST:
                self._sides.clear()
            where = None if self._text[positions].any() else self.side_by_side(positions)
            known = self._sides[id(positions)] = positions, where
        return known[1]

    def side_by_side(self, positions: Positions) -> slice | None:
        """Positions as a slice, where they and their rows rise one by one; else None."""
        first, n = int(positions[0]), len(positions)
        steps = np.arange(n)
        if (positions == first + steps).all() and (self._rows[positions] == self._rows[first] + steps).all():
            return slice(first, first + n)
        return None

    def fail(self, status: int, utc_ns: int, now_ns: int, where: Positions | None = None) -> None:
        """Publishes a quality of all tags, or of some; their values stay."""
        at = self._all if where is None else where
        self.status[at] = status
        self.source_ns[at] = utc_ns
        self.publish(at, now_ns)

    def publish(self, where: Positions | None = None, now_ns: int = 0) -> None:
        """Publishes again what is known of all tags, or of some."""
        at = self._all if where is None else where
        if not len(at):
            return
        forced = self._forced[at]
        bits, status, source = self.bits[at], self.status[at], self.source_ns[at]
        if forced.any():
            bits = np.where(forced, self._forced_bits[at], bits)
            status = np.where(forced, np.uint32(quality.GOOD_LOCAL_OVERRIDE), status)
            source = np.where(forced, self._forced_ns[at], source)
        self._publisher.put(self._rows[at], bits, status, source, now_ns, self.aux[at])

    def acted(self, positions: Positions, aux: npt.NDArray[np.uint64], now_ns: int) -> None:
        """Publishes what field acted on, where it changed."""
        changed = positions[self.aux[positions] != aux]
        if len(changed):
            self.aux[positions] = aux
            self.publish(changed, now_ns)

    def force(self, table: Mapping[str, int], utc_ns: int, now_ns: int) -> None:
        """Takes the table of forces (path → value bits); paths that are not of this device are passed over."""
        forced = np.zeros(len(self._forced), np.bool_)
        for path, bits in table.items():
            position = self._position.get(path)
            if position is None or self._text[position]:
                continue
            forced[position] = True
            if not self._forced[position] or int(self._forced_bits[position]) != bits:
                self._forced_ns[position] = utc_ns
            self._forced_bits[position] = bits
        touched = np.flatnonzero(forced | self._forced)
        self._forced[:] = forced
        self.any_forced = bool(forced.any())
        self.publish(touched, now_ns)

    @property
    def forced(self) -> Positions:
        """Positions that are forced now."""
        return np.flatnonzero(self._forced)
