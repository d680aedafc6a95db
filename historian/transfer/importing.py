"""Import: samples of a file into history, all or, when anything is wrong with the file, none.

The file is read twice: first everything is looked at, then it is appended in batches of bounded size. With each batch the place
in the file is committed under the digest of its content (`position` of writer `import:<digest>`). So an import that was
interrupted goes on where it was, and one that is repeated does nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from historian.store import Batch, StoreError, TagEntry
from historian.transfer import formats
from historian.transfer.csv_in import CsvFile
from historian.transfer.incoming import Incoming, Problem, Problems, Terms
from historian.transfer.source import Place, Readable, blocks
from tags.mapped import Position

RING: Final = "rows"
_READ: Final = 1 << 20
_COUNTED: Final = 250_000  # samples in memory

Progress = Callable[[str, float, int], None]


class Target(Protocol):
    """What an import needs of a store."""

    def append(self, batch: Batch) -> bool:
        """See `historian.store.Store`."""
        ...

    def position(self, writer: str, ring: str) -> Position | None:
        """See `historian.store.Store`."""
        ...

    def last_commit_ns(self) -> int:
        """See `historian.store.Store`."""
        ...


class ProblemsError(Exception):
    """Something is wrong with the file; nothing was imported.

    Attributes:
        problems: The first ones, by line.
        count: Of all.
    """

    def __init__(self, path: Path, problems: Problems) -> None:
        super().__init__(f"{path}: {problems.count} problems")
        self.problems: list[Problem] = sorted(problems.found)
        self.count = problems.count


@dataclass(slots=True)
class Seen:
    """What a file holds of one tag.

    Attributes:
        samples: How many.
        start: Time of the oldest, UTC, ns.
        end: Time of the newest, UTC, ns.
    """

    samples: int
    start: int
    end: int


class Imported(NamedTuple):
    """What came of an import.

    Attributes:
        tags: What the file holds, by id.
        samples: In the file.
        rows: Of the file.
        added: Samples that this call appended; fewer than `samples` when an earlier call had done some.
        digest: Of the file's content, 32 hex digits.
        missing: Samples that history has fewer than the file in the same time, by id; nothing when all is well.
    """

    tags: dict[int, Seen]
    samples: int
    rows: int
    added: int
    digest: str
    missing: dict[int, int] = {}  # noqa: RUF012 - never changed


def open_file(path: Path, kind: str) -> Incoming:
    """Opens a file to be imported.

    Raises:
        StoreError: It is not of that kind, or Parquet is not installed here.
        OSError: It cannot be read.
    """
    if kind == formats.PARQUET:
        try:
            from historian.transfer.parquet_in import ParquetFile  # noqa: PLC0415 - pyarrow is optional
        except ImportError:
            raise StoreError("Parquet needs pyarrow. Install it: pip install 'closedloop[arrow]'") from None
        return ParquetFile(path)
    return CsvFile(path)


def import_file(
    store: Target,
    path: Path,
    kind: str,
    terms: Terms,
    now_ns: int,
    *,
    progress: Progress = lambda _step, _share, _samples: None,
    room: Callable[[], None] = lambda: None,
    event: dict[str, Any] | None = None,
    before: Callable[[dict[str, Any]], None] = lambda _: None,
    again: bool = False,
    dry: bool = False,
) -> Imported:
    """Puts the samples of a file into history.

    Args:
        store: Open for writing.
        path: Of the file.
        kind: `csv` or `parquet`.
        terms: Tags, time zone and what else it needs.
        now_ns: UTC, ns.
        progress: Told the step, the share of the file that is read and the samples.
        room: Called between batches; returns when the store can take another.
        event: Is committed with the last batch, with `file`, `digest`, `samples`, `tags`, `from` and `to`.
        before: Told that event when everything was looked at and something will be appended.
        again: Also when the same content was imported before.
        dry: Only look.

    Raises:
        ProblemsError: Something is wrong with the file; nothing was imported.
        StoreError: It is not a file of that kind, it changed meanwhile, or the store cannot be written.
        OSError: It cannot be read.
    """
    file = open_file(path, kind)
    digest = digest_of(path)
    problems = Problems()
    tags: dict[int, Seen] = {}
    rows = samples = 0
    for piece in file.pieces(terms, problems):
        rows += piece.rows
        samples += len(piece.samples) + len(piece.texts)
        _see(tags, piece.samples["tag"], piece.samples["t"])
        _see(tags, *(np.array([x[i] for x in piece.texts], np.int64) for i in (0, 1)))
        progress("checking", file.share, samples)
    if problems.count:
        raise ProblemsError(path, problems)
    result = Imported(tags, samples, rows, 0, digest)
    if dry or not rows:
        return result
    writer = f"import:{digest}" + (f":{now_ns}" if again else "")
    reached = store.position(writer, RING)
    done = reached.sequence if reached else 0
    added = 0
    event = None if event is None else event | told(path, result)
    if event is not None and done < rows:
        before(event)
    for piece in file.pieces(terms, problems, done):
        room()
        done += piece.rows
        count = len(piece.samples) + len(piece.texts)
        newest = max([int(piece.samples["t"].max(initial=0)), *(x.t for x in piece.texts)])
        batch = Batch(
            piece.samples,
            piece.texts,
            positions={(writer, RING): Position(1, done)},
            # A stopped plant has not become older by this: what it knew at its last commit still ends there.
            utc_ns=max(store.last_commit_ns(), min(newest, now_ns)),
        )
        if done == rows and event is not None:
            batch.events.append(event)
        if done > rows or problems.count:
            break
        if store.append(batch):
            added += count
        progress("importing", file.share, added)
    if done != rows or problems.count or digest_of(path) != digest:
        raise StoreError(
            f"{path} was changed while it was imported. Check what is in history, and import it again"
        )
    return result._replace(added=added)


def missing(store: Readable, result: Imported, progress: Progress) -> dict[int, int]:
    """Counts what history has now, tag by tag; it has at least what was imported unless something took it away.

    Args:
        store: Open for reading.
        result: Of the import.
        progress: Told as by `import_file`.

    Returns:
        How many samples are missing, by id of the tag.
    """
    found: dict[int, int] = {}
    counted = 0
    for done, (number, seen) in enumerate(sorted(result.tags.items())):
        tag = TagEntry(number, "", "")
        some = blocks(store, [tag], seen.start, seen.end + 1, Place(), _COUNTED, originals=True)
        count = sum(len(block.samples) for block in some)
        counted += count
        if count < seen.samples:
            found[number] = seen.samples - count
        progress("counting", (done + 1) / len(result.tags), counted)
    return found


def digest_of(path: Path) -> str:
    """BLAKE2b of a file's content, 32 hex digits."""
    state = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while part := file.read(_READ):
            state.update(part)
    return state.hexdigest()


def _see(tags: dict[int, Seen], ids: npt.NDArray[Any], t: npt.NDArray[np.int64]) -> None:
    if not len(ids):
        return
    order = np.argsort(ids, kind="stable")
    different, starts, counts = np.unique(ids[order], return_index=True, return_counts=True)
    low, high = np.minimum.reduceat(t[order], starts), np.maximum.reduceat(t[order], starts)
    for tag, n, start, end in zip(*(x.tolist() for x in (different, counts, low, high)), strict=True):
        seen = tags.get(tag)
        if seen is None:
            tags[tag] = Seen(n, start, end)
        else:
            tags[tag] = Seen(seen.samples + n, min(seen.start, start), max(seen.end, end))


def told(path: Path, result: Imported) -> dict[str, Any]:
    """What an event says of an import."""
    return {
        "file": path.name,
        "digest": result.digest,
        "samples": result.samples,
        "tags": len(result.tags),
        "from": min((seen.start for seen in result.tags.values()), default=0),
        "to": max((seen.end for seen in result.tags.values()), default=0),
    }
