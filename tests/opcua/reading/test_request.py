"""Requests as bytes: what is understood is what asyncua would have decoded."""

from __future__ import annotations

import struct

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from scada.opcua.reading.request import CACHED, HEAD, VALUE_TAIL, Requests, encoded

PATHS = ["a/x", "a/y", "b/ä°", "long/" + "p" * 200]
ROWS = {path: row for row, path in enumerate(PATHS)}


def body(*items: ua.ReadValueId, max_age: float = 0.0, timestamps: int = 2) -> bytes:
    params = ua.ReadParameters(max_age, ua.TimestampsToReturn(timestamps), list(items))
    return bytes(struct_to_binary(params))


def item(path: str | int, namespace: int = 2, attribute: int = 13, **more: object) -> ua.ReadValueId:
    return ua.ReadValueId(NodeId=ua.NodeId(path, namespace), AttributeId=ua.IntegerId(attribute), **more)


@given(st.lists(st.sampled_from(PATHS), min_size=1, max_size=50), st.integers(0, 3))
def test_values_of_tags_are_rows(paths: list[str], timestamps: int) -> None:
    requests = Requests(ROWS, 2)
    wanted = body(*map(item, paths), timestamps=timestamps)
    for _ in range(2):  # the second time from memory
        found = requests.understand(wanted)
        assert found is not None
        assert found.timestamps == timestamps
        assert found.rows.tolist() == [ROWS[path] for path in paths]


OTHERS = [
    item("a/z"),
    item("a/x", namespace=3),
    item("a/x", attribute=4),
    item("a/x", IndexRange="0:1"),
    item("a/x", DataEncoding=ua.QualifiedName("Default Binary", 0)),
    item(7),
]


@given(st.lists(st.sampled_from(PATHS), max_size=5), st.sampled_from(OTHERS), st.integers(0, 5))
def test_everything_else_is_left_to_be_decoded(paths: list[str], other: ua.ReadValueId, at: int) -> None:
    items = list(map(item, paths))
    items.insert(at, other)
    assert Requests(ROWS, 2).understand(body(*items)) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_borne(data: bytes) -> None:
    assert Requests(ROWS, 2).understand(data) is None
    assert Requests(ROWS, 2).understand(HEAD.pack(0.0, 2, 1) + data) is None


@given(st.integers(0, 80), st.integers(0, 255))
def test_a_changed_byte_never_gives_rows_that_the_bytes_do_not_say(at: int, value: int) -> None:
    good = bytearray(body(item("a/x"), item("a/y")))
    at %= len(good)
    good[at] = value
    found = Requests(ROWS, 2).understand(bytes(good))
    if found is not None:
        again = body(*(item(PATHS[row]) for row in found.rows), timestamps=found.timestamps)
        assert again[8:] == bytes(good)[8:]  # MaxAge may be anything


def test_the_count_is_that_of_the_nodes() -> None:
    nodes = body(item("a/x"), item("a/y"))[HEAD.size :]
    requests = Requests(ROWS, 2)
    assert requests.understand(HEAD.pack(0.0, 2, 2) + nodes) is not None
    for count in (1, 3, 0, -1, 2**31 - 1):
        assert requests.understand(HEAD.pack(0.0, 2, count) + nodes) is None
    assert requests.understand(HEAD.pack(0.0, 2, 2) + nodes + b"\0") is None


def test_handles_of_a_session_are_its_own() -> None:
    requests = Requests(ROWS, 2)
    wanted = body(item(2), item("a/x"))
    handles = dict.fromkeys(encoded(2, 2), 1)
    for _ in range(2):
        assert requests.understand(wanted) is None
        found = requests.understand(wanted, handles)
        assert found is not None
        assert found.rows.tolist() == [1, 0]


@pytest.mark.parametrize("number", [1, 255, 65535, 65536, 2**31])
def test_a_numeric_id_is_known_however_it_is_written(number: int) -> None:
    forms = encoded(number, 2)
    for kind in (ua.NodeIdType.FourByte, ua.NodeIdType.Numeric):
        if kind is ua.NodeIdType.FourByte and number > 65535:
            continue
        written = struct_to_binary(
            ua.ReadValueId(NodeId=ua.NodeId(number, 2, kind), AttributeId=ua.IntegerId(13))
        )
        assert bytes(written).removesuffix(VALUE_TAIL) in forms


def test_memory_of_requests_is_bounded() -> None:
    requests = Requests({f"t{i}": i for i in range(1000)}, 2)
    for i in range(1000):
        requests.understand(body(item(f"t{i}")))
    assert len(requests._cache) == CACHED
    assert requests._size == sum(map(len, requests._cache))


def test_an_empty_text_for_none_is_as_good() -> None:
    piece = encoded("a/x", 2)[0] + struct.pack("<IiHi", 13, 0, 0, 0)
    found = Requests(ROWS, 2).understand(HEAD.pack(0.0, 2, 2) + piece * 2)
    assert found is not None
    assert found.rows.tolist() == [0, 0]
