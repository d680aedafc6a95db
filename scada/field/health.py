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
        self._places: dict[str, tuple[list[tuple[str, int]], list[tuple[str, int]]]] = {}

    def publish(self, pollers: Iterable[Poller], now_ns: int) -> None:
        """Publishes what some devices say of themselves; what was news is told. What is not known yet is Bad.

        Args:
            pollers: Which; one that is named twice is asked once.
            now_ns: Monotonic, ns.
        """
        real_rows: list[int] = []
        reals: list[types.Value] = []
        whole_rows: list[int] = []
        wholes: list[types.Value] = []
        unknown: list[int] = []
        for poller in dict.fromkeys(pollers):
            poller.news = False
            values = poller.health(now_ns)
            for_reals, for_wholes = self._places.get(poller.name) or self._places_of(poller.name, values)
            for places, rows, those in ((for_reals, real_rows, reals), (for_wholes, whole_rows, wholes)):
                for key, row in places:
                    value = values[key]
                    if value is None:
                        unknown.append(row)
                    rows.append(row)
                    those.append(0 if value is None else value)
        if not (real_rows or whole_rows):
            return
        bits = np.concatenate(
            [np.array(reals, np.float64).view(np.uint64), np.array(wholes, np.int64).view(np.uint64)]
        )
        at = np.array(real_rows + whole_rows, np.intp)
        status = np.full(len(at), quality.GOOD, np.uint32)
        if unknown:
            status[np.isin(at, unknown)] = quality.BAD_WAITING_FOR_INITIAL_DATA
        self._publisher.put(at, bits, status, self._clock.utc_ns(), now_ns)

    def _places_of(
        self, name: str, values: dict[str, types.Value | None]
    ) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        rows, tags = self._publisher.rows, self._publisher.tags
        found = [(key, row) for key in values if (row := rows.get(f"system/{name}/{key}")) is not None]
        reals = [(key, row) for key, row in found if tags[row].type in types.FLOATS]
        wholes = [(key, row) for key, row in found if tags[row].type not in types.FLOATS]
        self._places[name] = reals, wholes
        return reals, wholes
