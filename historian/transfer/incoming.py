"""What an import reads, whatever the format: pieces of a file as samples, and everything that is wrong with it, at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from historian.store import SAMPLE, TagEntry, Text

PROBLEMS_MAX: Final = 100
TAG, TIME, VALUE, QUALITY, TEXT, STATUS, BITS = "tag", "time", "value", "quality", "text", "status", "bits"
_ALIASES: Final = {
    "path": TAG,
    "tagname": TAG,
    "name": TAG,
    "timestamp": TIME,
    "time (utc)": TIME,
    "datetime": TIME,
}

Rows = npt.NDArray[np.void]


class Problem(NamedTuple):
    """What is wrong with a file.

    Attributes:
        line: Of the file, from 1 on; of a Parquet file the row, from 1 on; 0 for the file as a whole.
        message: What is wrong and what to do.
    """

    line: int
    message: str


@dataclass(slots=True)
class Problems:
    """All that is wrong with a file, in order; the first hundred are kept, all are counted.

    Attributes:
        found: The first ones.
        count: Of all.
    """

    found: list[Problem] = field(default_factory=list)
    count: int = 0
    _tags: set[str] = field(default_factory=set)

    def add(self, line: int, message: str) -> None:
        """One more."""
        self.count += 1
        if len(self.found) < PROBLEMS_MAX:
            self.found.append(Problem(line, message))

    def unknown(self, line: int, path: str, tags: Mapping[str, TagEntry]) -> None:
        """A tag that history does not know; said once."""
        if path in self._tags:
            return
        self._tags.add(path)
        lower = {name.lower(): name for name in tags}
        close = difflib.get_close_matches(path.lower(), lower, n=2)
        hint = f" Did you mean {' or '.join(lower[name] for name in close)}?" if close else ""
        self.add(line, f"there is no tag {path!r}.{hint}")


class Piece(NamedTuple):
    """Some rows of a file.

    Attributes:
        rows: How many, also those that hold no sample.
        samples: Of dtype `SAMPLE`, those of a tag in the order of the file.
        texts: Samples of string tags.
    """

    rows: int
    samples: Rows
    texts: list[Text]


@dataclass(frozen=True, slots=True)
class Terms:
    """What an import takes for granted.

    Attributes:
        tags: Of history, by path.
        zone: Of times without an offset.
        latest_ns: Later samples are refused: a clock was wrong, UTC, ns.
        tag: Path of the tag of files that name none; "" when they do.
    """

    tags: Mapping[str, TagEntry]
    zone: ZoneInfo
    latest_ns: int
    tag: str = ""
    _lower: dict[str, TagEntry] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_lower", {path.lower(): entry for path, entry in self.tags.items()})

    def of(self, path: str) -> TagEntry | None:
        """The tag of a path; case is ignored when no tag is written so."""
        return self.tags.get(path) or self._lower.get(path.strip().lower())


class Incoming(Protocol):
    """A file that is imported; can be read several times."""

    def pieces(self, terms: Terms, problems: Problems, skip: int = 0) -> Iterator[Piece]:
        """Its rows in order, bounded in memory; rows with problems are left out.

        Args:
            terms: See there.
            problems: Are put here.
            skip: Rows that are not wanted.

        Raises:
            OSError: It cannot be read.
            StoreError: It is not a file of that kind.
        """
        ...

    @property
    def share(self) -> float:
        """How much of it was read, 0 … 1."""
        ...


class Layout(NamedTuple):
    """Which column holds what.

    Attributes:
        columns: Place of each known column; of a tag's own column when the file is wide.
        wide: Tags have a column each; by place.
    """

    columns: Mapping[str, int]
    wide: Mapping[int, TagEntry]


def layout_of(names: Sequence[str], terms: Terms, problems: Problems) -> Layout | None:
    """Reads the head of a file.

    `tag, time, value` and perhaps `quality` is a line for each sample; `time` and then paths of tags is a column for each tag.

    Args:
        names: Of the columns.
        terms: See there.
        problems: Are put here.

    Returns:
        None when it cannot be read; the problems say why.
    """
    plain = [name.strip().lower() for name in names]
    columns = {_ALIASES.get(name, name): i for i, name in reversed(list(enumerate(plain)))}
    if TIME not in columns:
        problems.add(1, f"no column is called time; there are: {', '.join(names) or 'none'}")
        return None
    if TAG in columns or terms.tag:
        if VALUE not in columns and BITS not in columns:
            problems.add(1, f"no column is called value; there are: {', '.join(names)}")
            return None
        if terms.tag and terms.of(terms.tag) is None:
            problems.unknown(0, terms.tag, terms.tags)
            return None
        return Layout(columns, {})
    wide: dict[int, TagEntry] = {}
    for i, name in enumerate(names):
        if i == columns[TIME]:
            continue
        entry = terms.of(name.strip())
        if entry is None:
            problems.unknown(1, name.strip(), terms.tags)
        else:
            wide[i] = entry
    if not wide:
        problems.add(1, "no column is called tag, and none has the path of a tag; see --tag")
        return None
    return Layout(columns, wide)


def samples_of(
    tag: TagEntry,
    t: npt.NDArray[np.int64],
    bits: npt.NDArray[np.uint64],
    status: npt.NDArray[np.uint32],
) -> Rows:
    """Samples of one tag, dtype `SAMPLE`."""
    rows = np.empty(len(t), SAMPLE)
    rows["tag"], rows["t"], rows["bits"], rows["status"] = tag.id, t, bits, status
    return rows


def joined(parts: Sequence[Rows]) -> Rows:
    """One after the other."""
    return np.concatenate([np.empty(0, SAMPLE), *parts])
