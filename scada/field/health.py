"""How the devices are, as system tags: those of many devices are published at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from scada.clock import Clock
from scada.field.poller import Poller
from tags import quality, types

if TYPE_CHECKING:
    from tags.publish import Publisher


class Healths:
    """The system tags of the devices of one field service.

    Args:
        publisher: Of the service; only the tags that it has are published.
        clock: Time of the values.
    """

    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock
        self._whole = np.array([tag.type not in types.FLOATS for tag in publisher.tags], np.bool_)
        self._places: dict[str, tuple[list[str], list[int]]] = {}

    def publish(self, pollers: Iterable[Poller], now_ns: int) -> None:
        """Publishes what some devices say of themselves; what was news is told. What is not known yet is Bad.

        Args:
            pollers: Which; one that is named twice is asked once.
            now_ns: Monotonic, ns.
        """
        rows: list[int] = []
        found: list[types.Value | None] = []
        for poller in dict.fromkeys(pollers):
            poller.news = False
            values = poller.health(now_ns)
            keys, mine = self._places.get(poller.name) or self._places_of(poller.name, values)
            rows += mine
            found += [values[key] for key in keys]
        if not rows:
            return
        at = np.array(rows, np.intp)
        numbers = np.array(found, np.float64)  # None becomes NaN; counts are exact up to 2^53
        unknown = np.isnan(numbers)
        numbers[unknown] = 0.0
        bits = np.where(self._whole[at], numbers.astype(np.int64).view(np.uint64), numbers.view(np.uint64))
        status = np.where(unknown, np.uint32(quality.BAD_WAITING_FOR_INITIAL_DATA), np.uint32(quality.GOOD))
        self._publisher.put(at, bits, status, self._clock.utc_ns(), now_ns)

    def _places_of(self, name: str, values: dict[str, types.Value | None]) -> tuple[list[str], list[int]]:
        rows = self._publisher.rows
        at = [(key, row) for key in values if (row := rows.get(f"system/{name}/{key}")) is not None]
        places = self._places[name] = [key for key, _ in at], [row for _, row in at]
        return places
