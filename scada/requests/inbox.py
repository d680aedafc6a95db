"""Whose turn it is: a bounded number of requests a scan, a quota for each source, stops and closes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from scada.requests.message import Request

PER_SCAN: Final = 32
PER_SOURCE_PER_SCAN: Final = 16
WAITING_PER_SOURCE: Final = 128

# Lower goes first. A source that is not named stands with the gateways.
RANK: Final[dict[str, int]] = {"hmi": 0, "cli": 0, "opcua": 1, "gateway": 2, "script": 2}
_LAST: Final = 2
_STOPS: Final = 10  # a stop goes this much earlier: before everything that stops nothing


class Inbox:
    """Requests that have come and not had their turn.

    A source has a quota of places and of turns, and another for its stops: one that floods us may still stop a pump,
    and its stops keep nobody else's waiting. All sources that are not named share one quota, so that making up names
    gains nothing.

    Args:
        is_stop: True when a request stops or closes something.
    """

    __slots__ = ("_held", "_ids", "_is_stop", "_waiting")

    def __init__(self, is_stop: Callable[[Request], bool]) -> None:
        self._is_stop = is_stop
        self._waiting: list[tuple[int, Request]] = []
        self._ids: set[str] = set()
        self._held: Counter[tuple[str, bool]] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, id_: str) -> bool:
        """True when the request of this id waits for its turn."""
        return id_ in self._ids

    def waiting(self) -> list[Request]:
        """Those that have not had their turn, as they came."""
        return [request for _, request in self._waiting]

    def put(self, request: Request) -> bool:
        """Takes a request in.

        Returns:
            False when its source has `WAITING_PER_SOURCE` waiting already: it is to be refused.
        """
        stop = self._is_stop(request)
        rank = RANK.get(request.source, _LAST) - (_STOPS if stop else 0)
        quota = _quota(rank, request)
        if self._held[quota] >= WAITING_PER_SOURCE:
            return False
        self._held[quota] += 1
        self._ids.add(request.id)
        self._waiting.append((rank, request))
        return True

    def take(self) -> list[Request]:
        """The requests of this scan, in the order to do them; the rest keep their places."""
        if not self._waiting:
            return []
        counts: Counter[tuple[str, bool]] = Counter()
        taken: list[Request] = []
        left: list[tuple[int, Request]] = []
        for rank, request in sorted(self._waiting, key=_rank):
            quota = _quota(rank, request)
            if len(taken) < PER_SCAN and counts[quota] < PER_SOURCE_PER_SCAN:
                counts[quota] += 1
                self._held[quota] -= 1
                self._ids.discard(request.id)
                taken.append(request)
            else:
                left.append((rank, request))
        self._waiting = left
        return taken


def _quota(rank: int, request: Request) -> tuple[str, bool]:
    return request.source if request.source in RANK else "", rank < 0


def _rank(waiting: tuple[int, Request]) -> int:
    return waiting[0]
