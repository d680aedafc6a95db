"""The table's records are what asyncua's decoder reads as the same samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uatypes import datetime_to_win_epoch
from hypothesis import given
from hypothesis import strategies as st

from scada.opcua.table import layout
from scada.opcua.types import VARIANT
from tags import types as t

NOW_NS = 1_763_800_000_123_456_700
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **{type_: st.integers(*limits) for type_, limits in t.INTEGER_RANGE.items()},
    t.BOOL: st.booleans(),
    t.FLOAT64: st.floats(),
    t.FLOAT32: st.floats(width=32),
    t.STRING: st.text(max_size=40),
}
STATUS = st.sampled_from([0, 0, 0, 0x40900000, 0x80310000, 0x80320000, 0x480])
SOURCE = st.one_of(st.just(0), st.integers(1, 2**62)).map(lambda ns: ns // 100 * 100)


@st.composite
def samples(draw: st.DrawFn) -> list[tuple[str, Any, int, int]]:
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4))
    one = st.sampled_from(kinds).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind], STATUS, SOURCE))
    return draw(st.lists(one, max_size=12))


def written(
    wanted: list[tuple[str, Any, int, int]],
    timestamps: int | list[int],
    handles: list[int] | None,
    before: list[tuple[str, Any, int, int]] | None = None,
) -> bytes:
    """The samples by way of a matrix that may have held others before."""
    n = len(wanted)
    matrix, start = np.zeros((n, layout.WIDTH), np.uint8), np.zeros(n, np.uint8)
    rows = np.arange(n)
    types = layout.Types([kind for kind, *_ in wanted])
    for each in (before, wanted):
        if each is not None:
            bits = [7 if kind == t.STRING else t.to_bits(kind, value) for kind, value, *_ in each]
            layout.put(
                matrix, start, rows, types, rows, np.array(bits, np.uint64),
                np.array([status for *_, status, _ in each], np.uint32),
                np.array([source for *_, source in each], np.int64),
            )  # fmt: skip
    texts = {
        row: value.encode()
        for row, (kind, value, status, _) in enumerate(wanted)
        if kind == t.STRING and status >> 31 == 0
    }
    stamps = timestamps if isinstance(timestamps, int) else np.array(timestamps, np.uint8)
    numbers = None if handles is None else np.array(handles, np.uint32)
    return layout.write_out(matrix, start, NOW_NS, stamps, numbers, texts)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right) and type(left) is type(right)


def check(value: ua.DataValue, sample: tuple[str, Any, int, int], stamps: int) -> None:
    kind, wanted, status, source = sample
    assert value.Value is not None
    assert value.StatusCode is not None
    if status >> 31:
        assert value.Value.Value is None
    else:
        assert value.Value.VariantType == VARIANT[kind]
        assert same(value.Value.Value, wanted)
    assert value.StatusCode.value == status
    if stamps in {layout.BOTH, layout.SOURCE} and source:
        assert value.SourceTimestamp is not None
        assert datetime_to_win_epoch(value.SourceTimestamp) // 10 == layout.ticks(np.array([source]))[0] // 10
    else:
        assert value.SourceTimestamp is None
    if stamps in {layout.BOTH, layout.SERVER}:
        assert value.ServerTimestamp is not None
        assert (
            datetime_to_win_epoch(value.ServerTimestamp) // 10 == (NOW_NS // 100 + layout.EPOCH_TICKS) // 10
        )
    else:
        assert value.ServerTimestamp is None


@given(samples(), st.integers(0, 3), st.data())
def test_records_decode_to_the_samples(
    wanted: list[tuple[str, Any, int, int]], stamps: int, data: st.DataObject
) -> None:
    before = [
        (kind, *data.draw(st.tuples(VALUES[kind], STATUS, SOURCE), label="before")) for kind, *_ in wanted
    ]
    body = Buffer(written(wanted, stamps, None, before))
    for sample in wanted:
        check(struct_from_binary(ua.DataValue, body), sample, stamps)
    assert len(body) == 0


@given(samples(), st.data())
def test_notifications_carry_their_handles_and_each_its_own_time_stamps(
    wanted: list[tuple[str, Any, int, int]], data: st.DataObject
) -> None:
    n = len(wanted)
    stamps = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    handles = data.draw(st.lists(st.integers(0, 2**32 - 1), min_size=n, max_size=n))
    body = Buffer(written(wanted, stamps, handles))
    for sample, stamp, handle in zip(wanted, stamps, handles, strict=True):
        found = struct_from_binary(ua.MonitoredItemNotification, body)
        assert found.ClientHandle == handle
        check(found.Value, sample, stamp)
    assert len(body) == 0
