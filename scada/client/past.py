"""Questions about the past of tags, the same for a plant that runs and for what a stopped one has kept."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from historian.audit import Entry, Verdict, entries, verify
from historian.edits import Edit
from historian.notes import Annotation
from historian.pages import Page
from historian.query import History
from historian.read import SHIFTS, Bounded, Cursor, Intervals, Trend
from historian.store import Store
from scada.datadir import DataDir
from tags.model import Tag

_HEADS_MAX: Final = 100_000


class Past(abc.ABC):
    """Methods that `Client` and `Archive` share.

    All of them raise `KeyError` for an unknown tag, `ValueError` for a question that cannot be answered, and
    `StoreError` when there is no history or it cannot be read.
    """

    data: DataDir

    @abc.abstractmethod
    def _past(self) -> History:
        """Who answers."""

    @abc.abstractmethod
    def _kept(self) -> Store:
        """Where history is kept, for reading."""

    @abc.abstractmethod
    def _tag(self, path: str) -> Tag:
        """A tag by path."""

    def history_edits(self, path: str, start_ns: int, end_ns: int) -> list[Edit]:
        """Corrections that have to do with start <= t < end, in the order in which they were made.

        Args:
            path: Of the tag.
            start_ns: UTC, ns.
            end_ns: UTC, ns.
        """
        return self._kept().edits(self._tag(path).id, start_ns, end_ns)

    def annotations(
        self, path: str | None, start_ns: int, end_ns: int, limit: int = 1000
    ) -> list[Annotation]:
        """What people wrote beside the history of a tag, or of all tags (None), with start <= t < end, by time.

        Args:
            path: Of the tag.
            start_ns: UTC, ns.
            end_ns: UTC, ns.
            limit: At most so many, the newest.
        """
        return self._kept().annotations(None if path is None else self._tag(path).id, start_ns, end_ns, limit)

    def audit(
        self, start_ns: int, end_ns: int, kinds: Iterable[str] | None = None, limit: int = 1000
    ) -> list[Entry]:
        """Entries of the audit trail with start <= t < end (UTC, ns), of some kinds or all; the newest, in order."""
        return entries(self.data.history, start_ns, end_ns, kinds, limit)

    def verify_audit(self, noted: Mapping[int, bytes] | None = None) -> Verdict:
        """Follows the audit trail's chain of hashes, and compares it with those that the history was told.

        Args:
            noted: Further hashes by number, that were seen elsewhere.
        """
        return verify(self.data.history, noted, self._kept().events(0, 2**62, ["audit"], _HEADS_MAX))

    def history_page(
        self,
        path: str,
        start_ns: int,
        end_ns: int,
        limit: int = 10_000,
        cursor: Cursor | None = None,
        *,
        bounds: bool = False,
        originals: bool = False,
    ) -> Page:
        """Stored samples, some at a time: give `next` of a page to get the one after it.

        Args:
            path: Of the tag.
            start_ns: UTC, ns.
            end_ns: UTC, ns; the sample there is left out. Before the start: newest first.
            limit: At most so many, > 0.
            cursor: Of the page before.
            bounds: Add the samples at or beyond both ends (OPC UA ReadRaw); BadBoundNotFound where there is none.
            originals: As they were stored; otherwise as people have corrected them since.
        """
        return self._past().page(
            self._tag(path), start_ns, end_ns, limit, cursor, bounds=bounds, originals=originals
        )

    def history_bounds(
        self, path: str, start_ns: int, end_ns: int, limit: int = 10_000, *, bounds: bool = True
    ) -> Bounded:
        """Stored samples with the ones at or beyond both ends (OPC UA ReadRaw); newest first when end < start."""
        return self._past().raw(self._tag(path), start_ns, end_ns, limit, bounds=bounds)

    def history_at(
        self, path: str, times_ns: Sequence[int], *, uncertain: bool = False, bridge: bool = False
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint32]]:
        """What a tag was at given times: values (NaN for none) and StatusCodes.

        Args:
            path: Of the tag.
            times_ns: UTC, ns, in any order.
            uncertain: Use Uncertain samples too.
            bridge: Interpolate over gaps; otherwise there is no value in a gap.
        """
        return self._past().at(self._tag(path), times_ns, uncertain=uncertain, bridge=bridge)

    def history_grid(
        self, paths: Sequence[str], times_ns: Sequence[int], *, uncertain: bool = False
    ) -> npt.NDArray[np.void]:
        """Several tags at the same times, as a structured array: `found["tank1/LT-101"]["value"]`."""
        return self._past().align([self._tag(path) for path in paths], times_ns, uncertain=uncertain)

    def history_table(self, paths: Sequence[str], times_ns: Sequence[int], *, uncertain: bool = False) -> Any:
        """`history_grid` as a `pyarrow.Table`: `t`, then a column for each tag, null in gaps.

        Raises:
            ImportError: pyarrow is not installed (`pip install 'closedloop[arrow]'`).
        """
        return self._past().table([self._tag(path) for path in paths], times_ns, uncertain=uncertain)

    def history_trend(self, path: str, start_ns: int, end_ns: int, points: int) -> Trend:
        """Lowest, highest and average value of each pixel of a picture; see `historian.query.History.trend`."""
        return self._past().trend(self._tag(path), start_ns, end_ns, points)

    def aggregates(
        self, path: str, names: Sequence[str], start_ns: int, end_ns: int, every: int | str, **options: Any
    ) -> list[Intervals]:
        """Several aggregates of the same intervals, read once; options as those of `aggregate`."""
        return self._past().aggregates(self._tag(path), names, start_ns, end_ns, every, **options)

    def aggregate(
        self,
        path: str,
        aggregate: str,
        start_ns: int,
        end_ns: int,
        every: int | str,
        *,
        shifts: Sequence[str] = SHIFTS,
        uncertain: bool = False,
        state: float | None = None,
        roll_over: float | None = None,
        origin_ns: int | None = None,
    ) -> Intervals:
        """One value for each interval of a range: averages, totals, extremes, counters, durations.

            day = plant.aggregate("tank1/FT-104", "integral", start_ns, end_ns, "day")

        Args:
            path: Of the tag.
            aggregate: `time-average`, `max`, … or the OPC UA name; `historian.read.NAMES` has all.
            start_ns: UTC, ns.
            end_ns: UTC, ns, > start.
            every: Length of an interval, ns, or `day`, `week`, `month` or `shift` in the site's time zone.
            shifts: When shifts begin, `HH:MM`.
            uncertain: Calculate with Uncertain samples too.
            state: For `time-in-state`.
            roll_over: For `counter`: at which number it starts again from 0; see `historian.query.History.aggregate`.
            origin_ns: Intervals of a length begin at whole lengths from this time, UTC, ns; None for the start.
        """
        return self._past().aggregate(
            self._tag(path),
            aggregate,
            start_ns,
            end_ns,
            every,
            shifts=shifts,
            uncertain=uncertain,
            state=state,
            roll_over=roll_over,
            origin_ns=origin_ns,
        )
