"""Rings, event rings and slots against plain models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tags.events import CAPACITY_MIN, HEAD, PAYLOAD_MAX, EventReader, EventWriter
from tags.mapped import ImageError
from tags.ring import CHANGE, RESERVED, Position, RingReader, RingWriter, changes
from tags.slots import VERSION, SlotReader, SlotWriter

in_any_folder = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None
)
CAPACITY = 16
action = st.tuples(st.sampled_from(["append", "read", "resume", "restart"]), st.integers(0, 40))


def numbered(first: int, count: int) -> np.ndarray:
    return changes(1, 0, 0, 0, np.arange(first, first + count, dtype=np.uint64), count)


@in_any_folder
@given(st.lists(action, max_size=40))
def test_a_ring_gives_every_record_in_order_or_says_how_many_are_gone(
    tmp_path: Path, actions: list[tuple[str, int]]
) -> None:
    (tmp_path / "r").unlink(missing_ok=True)
    writer, epoch = RingWriter.create(tmp_path / "r", CAPACITY, 1), 1
    reader = RingReader(tmp_path / "r")
    written: list[tuple[int, int]] = []  # (tag, bits) of all records ever
    at = 0
    for what, count in actions:
        if what == "append":
            writer.append(numbered(len(written), count))
            written += [(1, len(written) + i) for i in range(count)]
        elif what == "restart":
            epoch += 1
            writer = RingWriter.open(tmp_path / "r", epoch)
            written.append((0, epoch))
        elif what == "resume":
            reader = RingReader(tmp_path / "r", reader.position)
        else:
            records, lost = reader.read(count)
            at += lost
            got = list(zip(records["tag"].tolist(), records["bits"].tolist(), strict=True))
            assert got == written[at : at + len(got)]
            at += len(got)
            assert reader.position.sequence == at
            assert reader.behind == len(written) - at
    records, lost = reader.read()
    assert at + lost + len(records) == len(written)
    assert len(records) <= CAPACITY


def test_the_end_of_a_ring_is_no_loss(tmp_path: Path) -> None:
    writer = RingWriter.create(tmp_path / "r", CAPACITY)
    reader = RingReader(tmp_path / "r")
    writer.append(numbered(0, 100))
    reader.to_end()
    assert reader.read()[1] == 0
    writer.append(numbered(100, 3))
    records, lost = reader.read()
    assert (records["bits"].tolist(), lost) == ([100, 101, 102], 0)


def test_records_of_a_writer_that_died_inside_an_append_become_epoch_marks(tmp_path: Path) -> None:
    writer = RingWriter.create(tmp_path / "r", CAPACITY, 1)
    writer.append(numbered(0, 14))
    reader = RingReader(tmp_path / "r")
    writer._words[RESERVED] += 4  # reserved 14 … 17, wrote two of them over the oldest, died
    writer._records[14:16] = 99
    RingWriter.open(tmp_path / "r", 7)
    records, lost = reader.read()
    assert lost == 3
    assert list(zip(records["tag"].tolist(), records["bits"].tolist(), strict=True)) == [
        *[(1, number) for number in range(3, 14)],
        *[(0, 7)] * 5,
    ]
    assert reader.position == Position(7, 19)


def test_a_reader_follows_the_epoch(tmp_path: Path) -> None:
    RingWriter.create(tmp_path / "r", CAPACITY, 1)
    reader = RingReader(tmp_path / "r")
    RingWriter.open(tmp_path / "r", 5).append(numbered(0, 2))
    assert reader.position.epoch == 1
    reader.read(1)
    assert reader.position == Position(5, 1)


@pytest.mark.parametrize(("kind", "read"), [(RingWriter, RingReader), (EventWriter, EventReader)])
def test_numbers_go_on_in_a_new_file_or_a_loss_is_reported(
    tmp_path: Path, kind: type[RingWriter | EventWriter], read: type[RingReader | EventReader]
) -> None:
    def append(writer: RingWriter | EventWriter, count: int) -> None:
        for number in range(count):
            writer.append(numbered(number, 1) if isinstance(writer, RingWriter) else b"x")  # type: ignore[arg-type]

    path = tmp_path / "r"
    append(kind.create(path, CAPACITY_MIN, 1), 10)
    reader = read(path)
    reader.read(4)
    before = reader.position
    append(kind.create(path, 2 * CAPACITY_MIN, 2), 3)
    assert reader.replaced()
    found, lost = read(path, before).read()
    assert (len(found), lost) == (3, 6)
    path.unlink()
    append(kind.create(path, CAPACITY_MIN, 3), 30)
    found, lost = read(path, before).read()
    assert (len(found), lost) == (30, 1)


def payload(number: int, length: int) -> bytes:
    return number.to_bytes(4, "little") + b"x" * length


@in_any_folder
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["append", "read", "resume", "restart", "end"]), st.integers(0, PAYLOAD_MAX - 4)
        ),
        max_size=60,
    )
)
def test_an_event_ring_gives_every_record_in_order_or_says_how_many_are_gone(
    tmp_path: Path, actions: list[tuple[str, int]]
) -> None:
    (tmp_path / "e").unlink(missing_ok=True)
    writer = EventWriter.create(tmp_path / "e", CAPACITY_MIN, 1)
    reader = EventReader(tmp_path / "e")
    written: list[bytes] = []
    at = 0
    for what, size in actions:
        if what == "append":
            written.append(payload(len(written), size))
            assert writer.append(written[-1]) == len(written) - 1
        elif what == "restart":
            writer = EventWriter.open(tmp_path / "e", 2)
        elif what == "resume":
            reader = EventReader(tmp_path / "e", reader.position)
        elif what == "end":
            reader.to_end()
            at = len(written)
        else:
            found, lost = reader.read(1 + size % 7)
            at += lost
            assert [text for _, text in found] == written[at : at + len(found)]
            assert [number for number, _ in found] == list(range(at, at + len(found)))
            at += len(found)
            assert reader.position.sequence == at or not found
    rest = 0
    while chunk := reader.read(1000):
        rest += chunk[1] + len(chunk[0])
        if not chunk[0]:
            break
    assert at + rest == len(written)
    assert reader.behind == 0
    reader.to_oldest()
    oldest = reader.read(1)[0]
    assert not written or oldest == [(oldest[0][0], written[oldest[0][0]])]


def test_an_event_of_wrong_sum_is_lost_and_said_so(tmp_path: Path) -> None:
    writer = EventWriter.create(tmp_path / "e", CAPACITY_MIN)
    for number in range(3):
        writer.append(payload(number, 8))
    writer._bytes[48 + 16] ^= 1  # in the second record
    writer.append(payload(3, 8))
    found, lost = EventReader(tmp_path / "e").read()
    assert ([number for number, _ in found], lost) == ([0, 2, 3], 1)


@in_any_folder
@given(st.integers(0, 2**32), st.integers(1, 256), st.integers(0, 2**20))
def test_a_reader_of_a_damaged_event_ring_ends(tmp_path: Path, seed: int, most: int, head: int) -> None:
    writer = EventWriter.create(tmp_path / "e", CAPACITY_MIN)
    reader = EventReader(tmp_path / "e")
    noise = np.random.default_rng(seed).integers(0, most, CAPACITY_MIN, np.uint8, endpoint=False)
    writer._bytes[:] = noise.tobytes()
    writer._words[HEAD] = head // 16 * 16
    for _ in range(50):
        found, lost = reader.read()
        assert lost >= 0
        if not found:
            break


def test_too_large_an_event_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    writer = EventWriter.create(tmp_path / "e", CAPACITY_MIN)
    with pytest.raises(ValueError, match="at most"):
        writer.append(b"x" * (PAYLOAD_MAX + 1))
    assert writer.append(b"x" * PAYLOAD_MAX) == 0
    assert EventReader(tmp_path / "e").read() == ([(0, b"x" * PAYLOAD_MAX)], 0)


def test_a_capacity_that_cannot_work_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        EventWriter.create(tmp_path / "e", CAPACITY_MIN + 8)


@in_any_folder
@given(st.lists(st.binary(max_size=100), max_size=10))
def test_slots_hold_the_newest(tmp_path: Path, writes: list[bytes]) -> None:
    writer = SlotWriter.create(tmp_path / "s", 100)
    reader = SlotReader(tmp_path / "s")
    assert reader.read() is None
    for number, data in enumerate(writes, 1):
        SlotWriter.open(tmp_path / "s").write(data)
        assert (reader.version, reader.read()) == (number, data)
    with pytest.raises(ValueError, match="at most"):
        writer.write(b"x" * 105)
    assert reader.version == len(writes)


def test_a_write_that_was_cut_off_leaves_the_slot_before(tmp_path: Path) -> None:
    writer = SlotWriter.create(tmp_path / "s", 100)
    reader = SlotReader(tmp_path / "s")
    writer.write(b"old")
    at = writer._place(2)
    writer._bytes[at : at + 40] = b"\xff" * 40
    assert reader.read() == b"old"
    writer._words[VERSION] = 2  # cannot happen in this order; the sum still guards
    assert reader.read() is None


@pytest.mark.parametrize("kind", [RingReader, EventReader, SlotReader])
def test_an_absent_file_is_named(tmp_path: Path, kind: type[RingReader | EventReader | SlotReader]) -> None:
    with pytest.raises(ImageError, match="absent does not exist"):
        kind(tmp_path / "absent")


def test_records_have_no_gaps_between_fields() -> None:
    assert CHANGE.itemsize == 32
