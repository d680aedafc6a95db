"""A data directory with history of all types, made without a plant."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch, Samples, Text
from scada.datadir import DataDir
from tags import quality
from tags.model import MEMORY, Tag
from tags.types import STRING, TYPES, to_bits

SECOND = 1_000_000_000
T0 = 1_790_000_000 * SECOND + 123_456_789
STATUSES = (quality.GOOD, quality.BAD_NO_COMMUNICATION, 0x4094_0000, 0x8031_0400)
TEXTS = ("", "plain", 'a "quoted", one', "two\nlines", "  ends in a space ", "Füllstand; µ")
VALUES: dict[str, tuple[float | int | bool, ...]] = {
    "bool": (True, False, True),
    "uint64": (0, 2**53 + 1, 2**64 - 1),
    "int64": (-(2**63), -1, 2**63 - 1),
    "float32": (0.1, -1.5e-40, 3.4e38),
    "float64": (1 / 3, -0.0, float("nan"), float("inf"), -float("inf"), 5e-324, 1.7976931348623157e308),
}


def tag(number: int, path: str, type_: str) -> Tag:
    return Tag(id=number, path=path, type=type_, kind=MEMORY, writer="control", row=0)


TAGS = [tag(i + 1, f"plant/{type_}", type_) for i, type_ in enumerate(TYPES)]


def make(root: Path, n: int = 60, *, tags: list[Tag] | None = None) -> DataDir:
    """`n` samples of each tag, a second apart, and two of one and the same time."""
    data = DataDir(root)
    data.create()
    tags = TAGS if tags is None else tags
    store = SqliteStore.writer(data.history)
    store.declare(tags)
    rows, texts = [], []
    for i in range(n):
        t = T0 + i // 2 * 2 * SECOND if i == n - 1 else T0 + i * SECOND
        for item in tags:
            status = STATUSES[i % len(STATUSES)]
            if item.type == STRING:
                texts.append(Text(item.id, t, status, TEXTS[i % len(TEXTS)]))
                continue
            some = VALUES.get(item.type, (0, 1, 7))
            value = some[i % len(some)]
            if item.type == "float32":
                value = float(np.float32(value))
            rows.append((item.id, status, t, to_bits(item.type, value)))
    half = len(rows) // 2
    store.append(Batch(np.array(rows[:half], SAMPLE), texts, utc_ns=T0 + n * SECOND))
    store.append(Batch(np.array(rows[half:], SAMPLE), utc_ns=T0 + n * SECOND))
    store.close()
    return data


def empty(root: Path, tags: list[Tag] | None = None) -> DataDir:
    """The same tags, no samples."""
    data = DataDir(root)
    data.create()
    store = SqliteStore.writer(data.history)
    store.declare(TAGS if tags is None else tags)
    store.close()
    return data


def everything(data: DataDir) -> dict[str, Samples]:
    """All samples of all tags."""
    store = SqliteStore.reader(data.history)
    try:
        return {path: store.raw(entry.id, 0, 2**63 - 1, 10**9) for path, entry in store.ids().items()}
    finally:
        store.close()


def plain(samples: dict[str, Samples]) -> dict[str, list[tuple[int, int | str, int]]]:
    """To compare: times, value bits or texts, statuses."""
    return {
        path: list(
            zip(
                found.t.tolist(),
                found.bits.tolist() if found.texts is None else found.texts,
                found.status.tolist(),
                strict=True,
            )
        )
        for path, found in samples.items()
    }


def renumbered(tags: list[Tag], by: int) -> list[Tag]:
    """The same paths with other ids, as another plant has them."""
    return [dataclasses.replace(item, id=item.id + by) for item in tags]
