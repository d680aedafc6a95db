"""The planner: every value in exactly one request, whole, and no request that the device would refuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scada.field.modbus import cost
from scada.field.modbus.address import BIT_TABLES, COUNT, TABLES, Address
from scada.field.modbus.config import Config
from scada.field.modbus.plan import Request, halves, plan, requests
from tags import types

NUMBERS = st.sampled_from(sorted(COUNT))


@st.composite
def addresses(draw: st.DrawFn) -> Address:
    table = draw(st.sampled_from(TABLES))
    offset = draw(st.integers(0, 400) | st.integers(0, 65532))
    if table in BIT_TABLES:
        return Address(table, offset, None, 1, types.BOOL)
    type_ = draw(NUMBERS)
    return Address(table, offset, None, COUNT[type_], type_)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    spans = draw(
        st.lists(st.tuples(st.sampled_from(TABLES), st.integers(0, 420), st.integers(0, 20)), max_size=4)
    )
    return Config(
        endpoint="tcp://plc",
        max_registers=draw(st.integers(4, 125)),
        max_coils=draw(st.integers(1, 2000)),
        max_gap=draw(st.integers(0, 125)),
        forbidden=tuple(f"{table}/{first}-{first + more}" for table, first, more in spans),
    )


def allowed(address: Address, config: Config) -> bool:
    return not any(
        span.table == address.table and span.first < address.end and span.last >= address.offset
        for span in config.spans
    )


def hold(made: Sequence[Request], wanted: Sequence[Address], members: list[int], config: Config) -> None:
    """What must be true of any plan."""
    assert sorted(i for request in made for i in request.members) == members
    for request in made:
        bits = request.table in BIT_TABLES
        assert 1 <= request.count <= (config.max_coils if bits else config.max_registers)
        assert request.start + request.count <= 65536
        for i in request.members:
            at = wanted[i]
            assert at.table == request.table
            assert request.start <= at.offset
            assert at.end <= request.start + request.count
        for span in config.spans:
            if span.table == request.table:
                assert span.last < request.start or span.first >= request.start + request.count


@given(st.lists(st.tuples(addresses(), st.sampled_from([10, 100, 1000])), max_size=60), configs())
def test_a_plan_covers_all_and_breaks_no_limit(wanted: list[tuple[Address, int]], config: Config) -> None:
    wanted = [(address, period) for address, period in wanted if allowed(address, config)]
    where = [address for address, _ in wanted]
    periods = [period for _, period in wanted]
    groups = plan(where, periods, config)
    assert [group.period_ns for group in groups] == sorted(set(periods))
    for group in groups:
        members = [i for i, period in enumerate(periods) if period == group.period_ns]
        hold(group.requests, where, members, config)
        assert 0 <= group.phase_ns < group.period_ns


@given(st.lists(addresses(), min_size=1, max_size=40), configs())
def test_halving_ends_and_loses_nothing(where: list[Address], config: Config) -> None:
    where = [address for address in where if allowed(address, config)]
    open_ = requests(where, range(len(where)), config)
    ended: list[Request] = []
    while open_:
        request = open_.pop()
        parts = halves(request, where)
        if len(parts) == 1:
            ended.append(request)
            spans = {(where[i].offset, where[i].end) for i in request.members}
            assert len(spans) == 1 or any(
                a < d and c < b for a, b in spans for c, d in spans if (a, b) != (c, d)
            )
        else:
            assert len(parts) == 2
            assert all(len(part.members) < len(request.members) for part in parts)
            open_ += parts
    hold(ended, where, list(range(len(where))), config)


def test_gaps_are_read_along_up_to_the_limit() -> None:
    config = Config(endpoint="tcp://plc", max_gap=10)
    near = [Address("holding", offset, None, 1, "int16") for offset in (0, 11, 30)]
    assert [(r.start, r.count) for r in requests(near, range(3), config)] == [(0, 12), (30, 1)]
    coils = [Address("coil", offset, None, 1, "bool") for offset in (0, 161, 400)]
    assert [(r.start, r.count) for r in requests(coils, range(3), config)] == [(0, 162), (400, 1)]


def test_a_thousand_dense_floats_take_seventeen_requests() -> None:
    where = [Address("input", 2 * i, None, 2, "float32") for i in range(1000)]
    assert len(requests(where, range(1000), Config(endpoint="tcp://plc"))) == 17


def optimum(where: Sequence[Address], config: Config) -> int:
    """Least time on the link, ns, over all ways to cut sorted values into requests (no forbidden ranges)."""
    ordered = sorted(where, key=lambda address: address.offset)
    best = [0]
    for last in range(1, len(ordered) + 1):
        costs = []
        for first in range(last, 0, -1):
            start = ordered[first - 1].offset
            count = max(address.end for address in ordered[first - 1 : last]) - start
            if count > config.max_registers:
                break
            costs.append(best[first - 1] + cost.request_ns(config, 2 * count))
        best.append(min(costs))
    return best[-1]


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=60),
    st.sampled_from(["int16", "float32", "float64"]),
    st.sampled_from(
        [
            {"endpoint": "tcp://plc"},
            {"endpoint": "tcp://plc", "max_registers": 40},
            {"endpoint": "rtu:///dev/x", "serial": {"baud": 9600}},
            {"endpoint": "rtu:///dev/x", "serial": {"baud": 115200}},
            {"endpoint": "rtu+tcp://gw:4001", "turnaround": "50 ms"},
        ]
    ),
)
def test_the_plan_is_within_a_tenth_of_the_best(
    gaps: list[int], type_: str, settings: dict[str, Any]
) -> None:
    config = Config.model_validate(settings)
    where, at = [], 0
    for gap in gaps:
        at += gap - 1
        where.append(Address("holding", at, None, COUNT[type_], type_))
        at += COUNT[type_]
    found = sum(cost.request_ns(config, r.payload_bytes) for r in requests(where, range(len(where)), config))
    best = optimum(where, config)
    assert best <= found <= best * 1.1 + cost.request_ns(config, 0)


def test_phases_of_groups_lie_apart_within_the_fastest_period() -> None:
    periods = [10_000_000, 1_000_000_000, 3_600_000_000_000]
    where = [Address("holding", n, None, 1, "int16") for n in range(3)]
    made = plan(where, periods, Config(endpoint="tcp://plc"))
    assert [group.phase_ns for group in made] == [0, 3_333_333, 6_666_666]
