"""From addresses to requests, once at start: pure, no I/O.

A request costs more than a register in it (`cost`), so sorted addresses are joined greedily while the gap is allowed, the request is not too long and no forbidden address would be
read along. That is within a few per cent of the optimum. A value is never split over two requests, since its words
would then be of two moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scada.field.modbus.address import BIT_TABLES, TABLES, Address
from scada.field.modbus.config import Config

BITS_PER_REGISTER: Final = 16
_ALL: Final = 65536

Barrier = tuple[int, int]
"""Addresses [first, end) that no request may touch; with first = end a place that no request may cross."""


@dataclass(frozen=True, slots=True)
class Request:
    """One read of consecutive addresses.

    Attributes:
        table: `coil`, `discrete`, `holding` or `input`.
        start: First offset, zero-based.
        count: Coils or registers.
        members: Positions, in the sequence that was planned, of the addresses it covers.
    """

    table: str
    start: int
    count: int
    members: tuple[int, ...]

    @property
    def payload_bytes(self) -> int:
        """Length of the data in a right reply."""
        return (self.count + 7) // 8 if self.table in BIT_TABLES else 2 * self.count


@dataclass(frozen=True, slots=True)
class Group:
    """The requests of one device that are due together.

    Attributes:
        period_ns: Asked each so long.
        phase_ns: First asked so long after the start, so that groups do not bunch.
        requests: In the order they are sent.
    """

    period_ns: int
    phase_ns: int
    requests: tuple[Request, ...]


def plan(addresses: Sequence[Address], periods_ns: Sequence[int], config: Config) -> tuple[Group, ...]:
    """Requests per scan period that cover every address once.

    Args:
        addresses: Of the device's tags.
        periods_ns: Scan period of each, > 0.
        config: Limits, gap and forbidden ranges.

    Returns:
        Groups, the fastest first.
    """
    periods = sorted(set(periods_ns))
    groups = []
    for number, period in enumerate(periods):
        mine = [i for i, p in enumerate(periods_ns) if p == period]
        phase = periods[0] * number // len(periods)
        groups.append(Group(period, phase, tuple(requests(addresses, mine, config))))
    return tuple(groups)


def requests(addresses: Sequence[Address], members: Sequence[int], config: Config) -> list[Request]:
    """The requests that cover `members` (positions in `addresses`)."""
    found: list[Request] = []
    for table in TABLES:
        bits = table in BIT_TABLES
        limit = config.max_coils if bits else config.max_registers
        gap = config.gap * BITS_PER_REGISTER if bits else config.gap
        barriers = [(span.first, span.last + 1) for span in config.spans if span.table == table]
        mine = sorted(
            (i for i in members if addresses[i].table == table), key=lambda i: (addresses[i].offset, i)
        )
        found += _greedy(addresses, mine, limit, gap, barriers)
    return found


def halves(request: Request, addresses: Sequence[Address]) -> list[Request]:
    """Two requests for one that the device refuses, cut between values; a request of one value comes back alone."""
    mine = sorted(request.members, key=lambda i: (addresses[i].offset, i))
    ends = [0] * len(mine)
    end = 0
    for n, i in enumerate(mine):
        end = ends[n] = max(end, addresses[i].end)
    cuts = [n for n in range(1, len(mine)) if addresses[mine[n]].offset >= ends[n - 1]]
    if not cuts:
        return [request]
    cut = min(cuts, key=lambda n: abs(n - len(mine) / 2))
    return [part for side in (mine[:cut], mine[cut:]) for part in _greedy(addresses, side, _ALL, _ALL, ())]


def joined(
    members: Sequence[int], addresses: Sequence[Address], limit: int, barriers: Sequence[Barrier]
) -> list[Request]:
    """The requests that cover members of one block around what the device refuses."""
    mine = sorted(members, key=lambda i: (addresses[i].offset, i))
    return _greedy(addresses, mine, limit, _ALL, barriers)


def _greedy(
    addresses: Sequence[Address], mine: Sequence[int], limit: int, gap: int, barriers: Sequence[Barrier]
) -> list[Request]:
    """Joins sorted addresses of one table while gap, limit and barriers allow."""
    found: list[Request] = []
    members: list[int] = []
    start = end = 0
    for i in mine:
        at = addresses[i]
        reach = max(end, at.end)
        if members and (
            at.offset - end > gap
            or reach - start > limit
            or any(first < reach and behind > start for first, behind in barriers)
        ):
            found.append(Request(at.table, start, end - start, tuple(members)))
            members = []
        if not members:
            start, end = at.offset, at.end
        members.append(i)
        end = max(end, at.end)
    if members:
        found.append(Request(addresses[members[0]].table, start, end - start, tuple(members)))
    return found
