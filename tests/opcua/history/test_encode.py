"""Our bytes are what asyncua reads: every type, every stamp, Bad ones without a value."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.client import Cursor
from scada.opcua.history import encode
from scada.opcua.history.continuation import Place
from scada.opcua.types import VARIANT
from tags import types as t
from tags.types import to_bits

NOW = 1_795_348_800_000_000_000
VALUES = {
    t.BOOL: st.booleans(),
    t.INT16: st.integers(-(2**15), 2**15 - 1),
    t.INT32: st.integers(-(2**31), 2**31 - 1),
    t.INT64: st.integers(-(2**63), 2**63 - 1),
    t.UINT16: st.integers(0, 2**16 - 1),
    t.UINT32: st.integers(0, 2**32 - 1),
    t.UINT64: st.integers(0, 2**64 - 1),
    t.FLOAT32: st.floats(width=32, allow_nan=False),
    t.FLOAT64: st.floats(allow_nan=False),
}
STATUS = st.sampled_from([0, 0, 0, 0x4090_0000, 0x8031_0000])


def decoded(body: bytes) -> list[ua.DataValue]:
    buffer = Buffer(body)
    found = struct_from_binary(ua.HistoryData, buffer)
    assert not len(buffer), "no byte is left over"
    return list(found.DataValues)


@pytest.mark.parametrize("type_", list(VALUES))
@settings(max_examples=30)
@given(data=st.data(), fine=st.booleans())
def test_numbers(type_: str, data: st.DataObject, fine: bool) -> None:
    rows = data.draw(st.lists(st.tuples(st.integers(0, 10**9), VALUES[type_], STATUS), max_size=8))
    step = 1 if fine else 100
    stamps = np.array([NOW + offset * step for offset, _, _ in rows], np.int64)
    bits = np.array([to_bits(type_, value) for _, value, _ in rows], np.uint64)
    found = decoded(encode.numbers(type_, stamps, bits, np.array([code for _, _, code in rows], np.uint32)))
    assert len(found) == len(rows)
    for (offset, value, code), one in zip(rows, found, strict=True):
        assert (one.StatusCode.value if one.StatusCode else 0) == code
        if code >> 31:
            assert one.Value is None or one.Value.Value is None
        else:
            assert one.Value is not None
            assert one.Value.VariantType == VARIANT[type_]
            assert one.Value.Value == value
        assert one.SourceTimestamp == ua.uatypes.win_epoch_to_datetime(
            (NOW + offset * step) // 100 + 116444736000000000
        )
        assert (one.SourcePicoseconds or 0) == (NOW + offset * step) % 100 * 100


@given(st.lists(st.tuples(st.integers(0, 10**9), st.text(max_size=9), STATUS), max_size=6))
def test_texts(rows: list[tuple[int, str, int]]) -> None:
    stamps = np.array([NOW + offset for offset, _, _ in rows], np.int64)
    codes = np.array([code for _, _, code in rows], np.uint32)
    found = decoded(encode.texts(stamps, [text for _, text, _ in rows], codes))
    wanted = [None if code >> 31 else text for _, text, code in rows]
    assert [None if one.Value is None else one.Value.Value for one in found] == wanted


places = st.builds(
    Place,
    st.integers(-1, 2**62),
    st.integers(-1, 2**62),
    st.none() | st.builds(Cursor, st.integers(-1, 2**62), st.integers(0, 2**32 - 1)),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.booleans(),
)


@given(places, st.integers(0, 45), st.integers(1, 255))
def test_a_place_survives_the_way_and_a_changed_one_does_not(place: Place, at: int, flip: int) -> None:
    data = place.pack("tank1/LT-101")
    assert Place.unpack(data, "tank1/LT-101") == place
    at %= len(data)
    broken = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
    for wrong, path in (
        (broken, "tank1/LT-101"),
        (data, "tank1/LT-102"),
        (data[1:], "tank1/LT-101"),
        (b"", ""),
    ):
        with pytest.raises(ValueError):
            Place.unpack(wrong, path)


def test_nothing_is_an_empty_list() -> None:
    assert struct.pack("<i", 0) == encode.NOTHING
    assert decoded(encode.texts(np.empty(0, np.int64), [], np.empty(0, np.uint32))) == []
