"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

KEPT: Final = 10_000

UNCOVERED: Final = (
    "history.sqlite: rows of text, event, annotation, tag, position, meta, newest, day and seal; who, when and why of edits",
    "sinks.sqlite, and the columns beside the samples in spool.sqlite",
    "a day that is not sealed: its table tag, and the numbers of its rows",
    "the free pages of SQLite, and the unused rest of its pages",
)
"""Bytes whose change no check can find; of all files SQLite finds damage to the structure."""


class Damage(NamedTuple):
    """One thing that is not as it was written.

    Attributes:
        file: Name of the file, relative to the history's folder.
        block: Which part of it: `chunk 17`, `journal 5`, `audit 3`; "" for the file.
        message: What is wrong with it.
        tag: Path of the tag whose samples it holds; "" for several or none.
        start: Time of the oldest of these samples, UTC, ns; 0 when not known.
        end: Time of the newest.
        samples: How many; 0 when not known.
    """

    file: str
    block: str
    message: str
    tag: str = ""
    start: int = 0
    end: int = 0
    samples: int = 0


@dataclass(slots=True)
class Report:
    """What a check came to.

    Attributes:
        damage: Everything that was found, the first ten thousand.
        count: Of all that was found.
        files: Files that were looked at.
        blocks: Journal rows, chunks and blocks of time stamps that were unpacked.
        samples: In them.
        notes: What is worth knowing and no damage.
    """

    damage: list[Damage] = field(default_factory=list)
    count: int = 0
    files: int = 0
    blocks: int = 0
    samples: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, damage: Damage) -> None:
        """One more."""
        self.count += 1
        if len(self.damage) < KEPT:
            self.damage.append(damage)
