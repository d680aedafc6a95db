"""Correcting and annotating history: who may, in whose name, and with an entry in the audit trail before it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from historian import audit
from historian.edits import Edit, Who
from historian.edits.write import UPDATE, Wish, Witness
from historian.notes import Annotation
from historian.settled import Columns
from historian.sqlite import SqliteStore
from historian.store import StoreError
from scada.access import refusal
from scada.clock import Clock, SystemClock
from scada.datadir import DataDir
from tags.model import Tag
from tags.types import Value, coerce, to_bits


class Corrections:
    """Changes what history shows; what was stored stays. The plant may run or not.

        plant.corrections().put("tank1/LT-101", [(t_ns, 2.5)], reason="sensor was out of its well")

    All methods raise `PermissionError` when the role does not suffice, `EditError` for what does not fit what is there,
    `KeyError` for an unknown tag, and `StoreError` when history or the audit trail cannot be written.

    Args:
        data: The plant's data directory.
        tags: By path.
        user: In whose name.
        role: That user's role: an engineer edits, an operator annotates.
        source: From where: `cli`, `hmi`, `opcua`, `script`.
        clock: The machine's by default.
    """

    def __init__(
        self,
        data: Path | str,
        tags: Mapping[str, Tag],
        *,
        user: str,
        role: str,
        source: str = "script",
        clock: Clock | None = None,
    ) -> None:
        self._folder = DataDir(Path(data)).history
        self._tags = tags
        self._user, self._role, self._source = user, role, source
        self._clock = clock or SystemClock()

    def put(
        self,
        path: str,
        samples: Iterable[tuple[int, Value] | tuple[int, Value, int]],
        reason: str,
        kind: str = UPDATE,
    ) -> Edit:
        """Puts samples at times of a tag.

        Args:
            path: Of the tag; not of a text.
            samples: Time (UTC, ns), value, and a StatusCode if it is not Good.
            reason: Why, for the record.
            kind: `update`: what is there is replaced. `insert`: there must be none. `replace`: there must be one each.

        Raises:
            ValueError: A value is not of the tag's type.
        """
        tag = self._tag(path, "edit")
        rows = [(one[0], coerce(tag.type, one[1]), one[2] if len(one) > 2 else 0) for one in samples]
        columns = Columns(
            np.array([t for t, _, _ in rows], np.int64),
            np.array(
                [to_bits(tag.type, value) for _, value, _ in rows if not isinstance(value, str)], np.uint64
            ),
            np.array([status for _, _, status in rows], np.uint32),
        )
        return self._edit(tag, Wish(kind, tag.id, columns), reason)

    def delete(self, path: str, start_ns: int, end_ns: int, reason: str) -> Edit:
        """Hides the samples of a tag with start <= t < end (UTC, ns)."""
        tag = self._tag(path, "edit")
        return self._edit(tag, Wish("delete", tag.id, start_ns=start_ns, end_ns=end_ns), reason)

    def undo(self, number: int, reason: str) -> Edit:
        """Takes an edit back: what it hid is shown again, what it put there is not."""
        self._allowed("edit", None)
        who = self._who(reason)
        with _Opened(self._folder) as store:
            return self._witnessed(lambda witness: store.undo(number, who, witness), None, who)

    def annotate(self, path: str, t: int, text: str) -> Annotation:
        """Writes a text beside a time (UTC, ns) of a tag."""
        tag = self._tag(path, "annotate")
        with _Opened(self._folder) as store:
            made = store.annotate(tag.id, t, text, self._who(""))
        self._record("annotation", id=made.id, path=tag.path, at=t, text=made.text)
        return made

    def unannotate(self, number: int) -> Annotation:
        """Takes an annotation away."""
        self._allowed("annotate", None)
        with _Opened(self._folder) as store:
            gone = store.unannotate(number, self._who(""))
        self._record("annotation", id=number, state="taken away")
        return gone

    def _edit(self, tag: Tag, wish: Wish, reason: str) -> Edit:
        who = self._who(reason)
        with _Opened(self._folder) as store:
            return self._witnessed(lambda witness: store.edit(wish, who, witness), tag, who)

    def _witnessed(self, make: Callable[[Witness], Edit], tag: Tag | None, who: Who) -> Edit:
        """The audit trail has it first: an edit that it does not know of cannot be."""
        told: list[dict[str, Any]] = []

        def witness(edit: Edit) -> dict[str, Any]:
            path = tag.path if tag else next((t.path for t in self._tags.values() if t.id == edit.tag), "")
            event = _event(edit, path, self._role)
            audit.record(self._folder, event["kind"], event["t"], **_rest(event))
            told.append(event)
            return event

        try:
            return make(witness)
        except StoreError as error:
            for event in told:
                audit.record(self._folder, "edit", who.utc_ns, **(_rest(event) | {"failed": str(error)}))
            raise

    def _record(self, kind: str, **fields: Any) -> None:
        audit.record(
            self._folder,
            kind,
            self._clock.utc_ns(),
            user=self._user,
            role=self._role,
            source=self._source,
            **fields,
        )

    def _who(self, reason: str) -> Who:
        return Who(self._user, self._source, self._clock.utc_ns(), reason)

    def _tag(self, path: str, operation: str) -> Tag:
        try:
            tag = self._tags[path]
        except KeyError:
            raise KeyError(f"{path}: there is no such tag") from None
        self._allowed(operation, tag)
        return tag

    def _allowed(self, operation: str, tag: Tag | None) -> None:
        reason = refusal(self._role, operation, tag)
        if reason is not None:
            raise PermissionError(reason)


class _Opened:
    """The store, open for a short write."""

    def __init__(self, folder: Path) -> None:
        self._store = SqliteStore.appender(folder)

    def __enter__(self) -> SqliteStore:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


def _event(edit: Edit, path: str, role: str) -> dict[str, Any]:
    """What history and audit trail say of an edit."""
    times = np.concatenate((edit.old.t, edit.new.t))
    return {
        "kind": "edit",
        "t": edit.who.utc_ns,
        "id": edit.id,
        "path": path,
        "edit": edit.kind,
        "from": int(times.min()),
        "to": int(times.max()),
        "old": len(edit.old.t),
        "new": len(edit.new.t),
        "undoes": edit.undoes,
        "user": edit.who.user,
        "role": role,
        "source": edit.who.source,
        "reason": edit.who.reason,
    }


def _rest(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("kind", "t")}
