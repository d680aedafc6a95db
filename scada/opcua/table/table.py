"""`Table`: all tags of the site, as they are now."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from asyncua import ua

from scada.client import Client
from scada.opcua.table import layout
from scada.opcua.types import data_value
from tags.types import FLOATS, STRING, Value, floats

Rows = npt.NDArray[np.intp]

_NONE = np.zeros(0, np.intp)


class Table:
    """The latest sample of each tag as a wire record; a row is the client's global index.

    One thread (the event loop's) refreshes and reads it, so that nothing is ever torn. Everything answers from the last
    `refresh`.

    Args:
        client: The plant.

    Attributes:
        tags: The tags by row.
        row_of: Row by path.
        number: Number of the last refresh; 0 before the first.
        now_ns: Its time, UTC, ns: the server time of all samples.
        moved: Shape (3, n): the refresh at which each tag last changed its status; its value or status; its value,
            status or source time (the order of `DataChangeTrigger`).
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.tags = client.tag_list
        self.row_of = client.index
        n = len(self.tags)
        self._types = layout.Types([tag.type for tag in self.tags])
        self._is_float = np.array([tag.type in FLOATS for tag in self.tags], np.bool_)
        self._is_text = np.array([tag.type == STRING for tag in self.tags], np.bool_)
        self._matrix = np.zeros((n, layout.WIDTH), np.uint8)
        self._rows = self._matrix.view(f"V{layout.WIDTH}").reshape(-1)
        self._start = np.zeros(n, np.uint8)
        self._texts: dict[int, bytes] = {}
        self.number = 0
        self.now_ns = 0
        self.moved = np.zeros((3, n), np.int64)
        self._generation = -1
        self._version = np.zeros(n, np.uint64)
        self._shown = np.zeros(n, np.uint32)
        self._source_ns = np.zeros(n, np.int64)
        self._bits = np.zeros(n, np.uint64)
        self._early = _NONE

    def __len__(self) -> int:
        return len(self.tags)

    def refresh(self, now_ns: int) -> Rows:
        """Looks at the plant.

        Args:
            now_ns: UTC, ns.

        Returns:
            The rows whose value or status changed since the refresh before, rising; all of them the first time.

        Raises:
            NotRunningError: The plant was stopped.
            SiteChangedError: It was started again with another site.
        """
        rows = self._refresh(now_ns)
        if len(self._early):
            rows, self._early = np.union1d(rows, self._early), _NONE
        return rows

    def look(self) -> None:
        """Looks at the plant between two refreshes; the next one tells what changed in both."""
        self._early = np.union1d(self._early, self._refresh(self.now_ns))

    def version(self, row: int) -> int:
        """Rises with each change of a tag."""
        return int(self._version[row])

    def _refresh(self, now_ns: int) -> Rows:
        self._client.refresh()
        self.now_ns = now_ns
        self.number += 1
        images = self._client.images
        if self._client.generation != self._generation:  # its images are others
            self._generation = self._client.generation
            every = np.arange(len(self.tags))
            self.moved[:] = self.number
            self._put(every)
            return every
        status = images.shown != self._shown
        changed = status | (images.version != self._version)
        touched = changed | (images.source_ns != self._source_ns)
        rows = np.flatnonzero(touched)
        if not len(rows):
            return rows
        self._put(rows)
        moved = np.flatnonzero(changed)
        self.moved[0][status] = self.number
        self.moved[1][moved] = self.number
        self.moved[2][rows] = self.number
        return moved

    def _put(self, rows: Rows) -> None:
        images = self._client.images
        every = len(rows) == len(self.tags)
        chosen = slice(None) if every else rows
        status, source_ns, version = images.shown[chosen], images.source_ns[chosen], images.version[chosen]
        self._shown[chosen], self._source_ns[chosen] = status, source_ns
        bits = images.bits[chosen]
        layout.put(self._matrix, self._start, rows, self._types, rows, bits, status, source_ns)
        self._bits[chosen], self._version[chosen] = bits, version
        for row in rows[self._is_text[rows]].tolist():
            self._texts[row] = str(images.value(row)).encode()

    def records(self, rows: Rows, timestamps: int = layout.BOTH) -> bytes:
        """DataValues one behind the other.

        Args:
            rows: Of the tags, in the order wanted; may repeat.
            timestamps: TimestampsToReturn.
        """
        return self._out(rows, timestamps, None)

    def notifications(
        self,
        rows: Rows,
        handles: npt.NDArray[np.uint32],
        timestamps: int | npt.NDArray[np.uint8] = layout.BOTH,
    ) -> bytes:
        """MonitoredItemNotifications (OPC 10000-4 §7.25.2) one behind the other.

        Args:
            rows: Shape (n,), of the tags.
            handles: Shape (n,), client handles.
            timestamps: TimestampsToReturn, one for all or one for each.
        """
        return self._out(rows, timestamps, handles)

    def _out(
        self,
        rows: Rows,
        timestamps: int | npt.NDArray[np.uint8],
        handles: npt.NDArray[np.uint32] | None,
    ) -> bytes:
        matrix = self._rows[rows].view(np.uint8).reshape(-1, layout.WIDTH)
        texts = self._texts_of(rows) if self._texts else None
        return layout.write_out(matrix, self._start[rows], self.now_ns, timestamps, handles, texts)

    def samples(
        self,
        rows: Rows,
        bits: layout.Bits,
        status: layout.Statuses,
        source_ns: layout.Times,
        texts: Mapping[int, bytes],
        handles: npt.NDArray[np.uint32],
        timestamps: int | npt.NDArray[np.uint8],
    ) -> bytes:
        """As `notifications`, of samples that were (shape (n,) each); texts by place."""
        matrix, start = np.zeros((len(rows), layout.WIDTH), np.uint8), np.zeros(len(rows), np.uint8)
        layout.put(matrix, start, np.arange(len(rows)), self._types, rows, bits, status, source_ns)
        return layout.write_out(matrix, start, self.now_ns, timestamps, handles, texts)

    def _texts_of(self, rows: Rows) -> dict[int, bytes]:
        places = np.flatnonzero(self._is_text[rows] & (self._shown[rows] >> np.uint32(31) == 0))
        return {place: self._texts[int(rows[place])] for place in places.tolist()}

    def status(self, rows: Rows) -> npt.NDArray[np.uint32]:
        """StatusCodes of some tags."""
        return self._shown[rows]

    def bits(self, rows: Rows) -> npt.NDArray[np.uint64]:
        """Value bits of some tags."""
        return self._bits[rows]

    def source_ns(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Source times of some tags, UTC, ns."""
        return self._source_ns[rows]

    def overruled(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Where another status is shown than was published, as the tag is stale."""
        return self._shown[rows] != self._client.images.status[rows]

    def is_text(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Where tags are texts."""
        return self._is_text[rows]

    def text(self, row: int) -> bytes:
        """The text of one tag, UTF-8."""
        return self._texts[row]

    def floats(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Values of some tags that are no texts, for dead bands."""
        return floats(self._bits[rows], self._is_float[rows])

    def type_of(self, row: int) -> str:
        """Data type of one tag."""
        return self.tags[row].type

    def value(self, row: int) -> Value:
        """The value of one tag; the last one known when it is Bad."""
        return self._client.images.value(row)

    def data_value(self, row: int) -> ua.DataValue:
        """One tag for asyncua, with both times."""
        return data_value(
            self.tags[row].type,
            self.value(row),
            int(self._shown[row]),
            int(self._source_ns[row]),
            self.now_ns,
        )
