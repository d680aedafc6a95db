"""Whose turn it is: a bounded number of requests a scan, a quota for each source, stops and closes first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from scada.requests.message import Request

PER_SCAN: Final = 32
PER_SOURCE_PER_SCAN: Final = 16
WAITING_PER_SOURCE: Final = 128

# Lower goes first. A source that is not named stands with the gateways.
RANK: Final[dict[str, int]] = {"hmi": 0, "cli": 0, "opcua": 1, "gateway": 2, "script": 2}
_LAST: Final = 2


class Inbox:
    """Requests that have come and not had their turn.

    Args:
        is_stop: True when a request stops or closes something.
    """

    __slots__ = ("_is_stop", "_waiting")

    def __init__(self, is_stop: Callable[[Request], bool]) -> None:
        self._is_stop = is_stop
        self._waiting: list[tuple[int, Request]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, request: Request) -> bool:
        """Takes a request in.

        Returns:
            False when its source has `WAITING_PER_SOURCE` waiting already: it is to be refused.
        """
        stop = self._is_stop(request)
        source = request.source
        # A source that floods us may still stop a pump: its stops have places of their own.
        if sum(rank < 0 if stop else rank >= 0 and held.source == source for rank, held in self._waiting) >= (
            WAITING_PER_SOURCE
        ):
            return False
        self._waiting.append((-1 if stop else RANK.get(source, _LAST), request))
        return True

    def take(self) -> list[Request]:
        """The requests of this scan, in the order to do them; the rest keep their places."""
        if not self._waiting:
            return []
        counts: dict[str, int] = {}
        taken: list[Request] = []
        left: list[tuple[int, Request]] = []
        for rank, request in sorted(self._waiting, key=_rank):
            count = counts.get(request.source, 0)
            if len(taken) < PER_SCAN and (rank < 0 or count < PER_SOURCE_PER_SCAN):
                counts[request.source] = count + 1
                taken.append(request)
            else:
                left.append((rank, request))
        self._waiting = left
        return taken


def _rank(waiting: tuple[int, Request]) -> int:
    return waiting[0]
