"""`history.sqlite`: the journal row by row, what was put aside, texts and events as far as they can be judged."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from historian import codec
from historian.journal import JournalRow
from historian.store import StoreDamagedError, TagEntry
from historian.transfer.check.found import Damage, Report
from historian.transfer.check.reading import columns, has, rows
from tags.types import STRING, TYPES


def tags_of(db: sqlite3.Connection, name: str, report: Report) -> dict[int, TagEntry]:
    """The tags that history knows, by id."""
    found: dict[int, TagEntry] = {}
    for number, path, type_ in rows(db, name, "tag", "id", ("path", "type"), report):
        found[number] = TagEntry(number, path, type_)
        if type_ not in TYPES:
            report.add(Damage(name, f"tag {number}", f"{type_!r} is no type of a tag", str(path)))
    return found


def check_main(db: sqlite3.Connection, name: str, tags: Mapping[int, TagEntry], report: Report) -> None:
    """Everything in `history.sqlite` but chunks.

    Args:
        db: In a read transaction.
        name: Of the file.
        tags: By id.
        report: Is told.
    """
    _journal(db, name, tags, report)
    if has(db, "damaged"):
        for number, blob in rows(db, name, "damaged", "id", ("samples",), report):
            size = len(blob) if isinstance(blob, bytes) else 0
            report.add(
                Damage(
                    name,
                    f"damaged {number}",
                    f"a journal row of {size} bytes was put aside when it was folded",
                )
            )
    if has(db, "edit"):
        for number, tag, t0, t1, new, old in rows(
            db, name, "edit", "id", ("tag", "t0", "t1", "new", "old"), report
        ):
            report.blocks += 1
            wrong = _edit(tag, t0, t1, (new, old))
            if wrong:
                path = tags[tag].path if tag in tags else f"tag {tag}"
                report.add(Damage(name, f"edit {number}", wrong, path, t0, t1))
    for number, tag, t in rows(db, name, "text", "id", ("tag", "t"), report):
        entry = tags.get(tag)
        if entry is None or entry.type != STRING:
            what = "no tag has that number" if entry is None else f"{entry.path} is no tag of texts"
            report.add(Damage(name, f"text {number}", what, entry.path if entry else "", t, t, 1))
    for number, t, kind, json in rows(db, name, "event", "id", ("t", "kind", "json"), report):
        wrong = _event(t, kind, json)
        if wrong:
            report.add(Damage(name, f"event {number}", wrong, "", t, t))


def _journal(db: sqlite3.Connection, name: str, tags: Mapping[int, TagEntry], report: Report) -> None:
    whole = "crc" in columns(db, "journal")
    wanted = ["t0", "t1", "n", "samples"] + (["utc_ns", "positions", "crc"] if whole else [])
    before = 0
    for found in rows(db, name, "journal", "seq", wanted, report):
        row = JournalRow(*(found if whole else (*found, 0, "", None)))
        report.blocks += 1
        report.samples += row.n
        block = f"journal {row.seq}"
        wrong = _row(row, tags)
        if wrong:
            report.add(Damage(name, block, wrong, "", row.t0, row.t1, row.n))
        if before and row.seq != before + 1:
            many = f"{before + 1} to {row.seq - 1}" if row.seq > before + 2 else str(before + 1)
            report.add(Damage(name, f"journal {many}", "missing"))
        before = row.seq


def _row(row: JournalRow, tags: Mapping[int, TagEntry]) -> str:
    try:
        samples = codec.unpack_batch(row.samples)
    except StoreDamagedError as error:
        return str(error)
    if not row.sound:
        return "its checksum is another"
    if len(samples) != row.n or (
        len(samples) and (int(samples["t"].min()), int(samples["t"].max())) != (row.t0, row.t1)
    ):
        return "its row gives other times or another count than the samples"
    unknown = set(samples["tag"].tolist()) - tags.keys()
    return f"no tag has the number {min(unknown)}" if unknown else ""


def _edit(tag: int, t0: int, t1: int, blobs: tuple[bytes, bytes]) -> str:
    try:
        samples = np.concatenate([codec.unpack_batch(blob) for blob in blobs])
    except StoreDamagedError as error:
        return str(error)
    if len(samples) and (int(samples["t"].min()), int(samples["t"].max())) != (t0, t1):
        return "its row gives other times than its samples"
    return "" if (samples["tag"] == tag).all() else "it has samples of another tag"


def _event(t: Any, kind: Any, json: Any) -> str:
    try:
        event = orjson.loads(json)
    except (orjson.JSONDecodeError, TypeError):
        return "it is no JSON"
    if not isinstance(event, dict) or (event.get("t"), event.get("kind")) != (t, kind):
        return "its row gives another time or kind than the event"
    return ""
