"""Who asks for what: people, gateways and programs that write, repeat themselves, err and storm."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from scada.requests.message import WRITE
from tags.model import DEVICE, Site, Tag
from tags.types import BOOL, FLOATS, INTEGER_RANGE, STRING

MS: Final = 1_000_000
SOURCES: Final = ("hmi", "cli", "opcua", "gateway", "script")
DEADLINES_NS: Final = (100 * MS, 300 * MS, 1000 * MS, 3000 * MS, 5000 * MS, 10_000 * MS)
MANY: Final = 10**6
"""A range with so many values lets every request ask for another one, so that each write tells whose it is."""


@dataclass(slots=True)
class Asked:
    """One request.

    Attributes:
        id: Of it.
        items: Paths and values.
        deadline_ns: As asked, ns from acceptance.
        sent_ns: When it was sent first, ns monotonic.
        data: As sent.
    """

    id: str
    items: tuple[tuple[str, Any], ...]
    deadline_ns: int
    sent_ns: int
    data: bytes


class People:
    """Makes requests for all tags of a site that can be written.

    Args:
        site: Whose tags.
        seed: Of the choices.
        send: Takes a request as it is sent.
        note: Takes each new request before it is sent.
    """

    def __init__(
        self, site: Site, seed: int, send: Callable[[bytes], None], note: Callable[[Asked], None]
    ) -> None:
        self._dice = random.Random(f"{seed} people")  # noqa: S311 - choices, no secrets
        self._send, self._note = send, note
        self._tags = [tag for tag in site.tags if tag.writable and tag.type != STRING]
        self._count = 0
        self._last: list[Asked] = []

    def ask(self, now_ns: int) -> None:
        """One request, or the repetition of an earlier one."""
        dice = self._dice
        if not self._tags:
            return
        if self._last and dice.random() < 0.1:
            self._send(dice.choice(self._last).data)
            return
        self._count += 1
        many = 1 if dice.random() < 0.9 else dice.randint(2, 4)
        tags = dice.sample(self._tags, min(many, len(self._tags)))
        items = tuple((tag.path, self._value(tag)) for tag in tags)
        deadline = dice.choice(DEADLINES_NS)
        fields = {
            "id": f"r{self._count}", "kind": WRITE, "items": items, "source": dice.choice(SOURCES), "user": "simulated",
            "role": "engineer" if dice.random() < 0.98 else "viewer", "deadline_ns": deadline, "reason": "simulated",
        }  # fmt: skip
        asked = Asked(f"r{self._count}", items, deadline, now_ns, orjson.dumps(fields))
        self._note(asked)
        self._last = [*self._last[-7:], asked]
        self._send(asked.data)

    def _value(self, tag: Tag) -> Any:
        dice = self._dice
        if dice.random() < 0.02:
            return dice.choice((1e30, -1e30, "nan", "far too long a text", None))
        if tag.type == BOOL:
            return dice.random() < 0.6
        if tag.states:
            return int(dice.choice(sorted(tag.states)))
        if many(tag):
            return self._count if tag.type not in FLOATS else self._count * 0.25
        low, high = tag.limits or tag.range or (0.0, 100.0)
        if tag.type in FLOATS:
            return round(dice.uniform(low, high), 3)
        return dice.randint(round(low), round(high))


def many(tag: Tag) -> bool:
    """Each request may ask another value of this tag."""
    if tag.kind != DEVICE or tag.type == BOOL or tag.states or not tag.scaling.plain:
        return False
    ends = tag.limits or tag.range or INTEGER_RANGE.get(tag.type)
    return ends is not None and ends[0] <= 0 and ends[1] >= MANY
