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
from scada.field.modbus.config import Config, Span

BITS_PER_REGISTER: Final = 16


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
        spans = [span for span in config.spans if span.table == table]
        mine = sorted(
            (i for i in members if addresses[i].table == table), key=lambda i: (addresses[i].offset, i)
        )
        found += _greedy(addresses, mine, limit, gap, spans)
    return found


def split(request: Request, addresses: Sequence[Address], config: Config) -> list[Request]:
    """Smaller requests for one that the device refuses, so that a hole costs only the tags in it.

    First without gaps; when there are none, in halves between values. A request of one value comes back alone.
    """
    mine = sorted(request.members, key=lambda i: (addresses[i].offset, i))
    limit = config.max_coils if request.table in BIT_TABLES else config.max_registers
    parts = _greedy(addresses, mine, limit, 0, [])
    if len(parts) > 1:
        return parts
    ends = [0] * len(mine)
    end = 0
    for n, i in enumerate(mine):
        end = ends[n] = max(end, addresses[i].end)
    cuts = [n for n in range(1, len(mine)) if addresses[mine[n]].offset >= ends[n - 1]]
    if not cuts:
        return [request]
    cut = min(cuts, key=lambda n: abs(n - len(mine) / 2))
    return [
        *_greedy(addresses, mine[:cut], limit, 0, []),
        *_greedy(addresses, mine[cut:], limit, 0, []),
    ]


def _greedy(
    addresses: Sequence[Address], mine: Sequence[int], limit: int, gap: int, spans: Sequence[Span]
) -> list[Request]:
    """Joins sorted addresses of one table while gap, limit and forbidden ranges allow."""
    found: list[Request] = []
    members: list[int] = []
    start = end = 0
    for i in mine:
        at = addresses[i]
        reach = max(end, at.end)
        if members and (
            at.offset - end > gap
            or reach - start > limit
            or any(span.first < reach and span.last >= start for span in spans)
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
