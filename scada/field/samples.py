"""What is published of one device's tags: what was read, and forced values over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from scada.field.driver import Reading
from tags import quality, types
from tags.model import Tag
from tags.publish import Publisher

Positions = npt.NDArray[np.intp]


class Samples:
    """The tags of one device as columns, in the order of its tags.

    Args:
        publisher: Of this service.
        tags: Of the device.

    Attributes:
        bits: Shape (n,), last usable value as read.
        status: Shape (n,), as read.
        aux: Shape (n,), what field acted on (see `commands`).
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
        self._forced = np.zeros(n, np.bool_)
        self._forced_bits = np.zeros(n, np.uint64)
        self._forced_ns = np.zeros(n, np.int64)
        self._all = np.arange(n, dtype=np.intp)

    def start(self, utc_ns: int, now_ns: int) -> None:
        """Nothing has been read yet."""
        self.fail(quality.BAD_WAITING_FOR_INITIAL_DATA, utc_ns, now_ns)

    def take(self, reading: Reading, now_ns: int) -> None:
        """Publishes what was read."""
        at = reading.members
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
        self._forced = forced
        self.publish(touched, now_ns)

    @property
    def forced(self) -> Positions:
        """Positions that are forced now."""
        return np.flatnonzero(self._forced)
