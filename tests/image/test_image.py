"""The image against a plain model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tags import quality
from tags.image import BEGIN, END, ImageError, ImageReader, ImageWriter
from tags.mapped import TRIES

WORD = st.integers(0, 2**64 - 1)
TIME = st.integers(-(2**63), 2**63 - 1)
ROWS = 7
one_publish = st.tuples(
    st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=ROWS, unique=True),
    WORD,
    st.integers(0, 2**32 - 1),
    TIME,
    TIME,
    st.none() | WORD,
    st.none() | WORD,
)
in_any_folder = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)


@in_any_folder
@given(st.lists(st.tuples(one_publish, st.booleans()), max_size=20))
def test_a_snapshot_is_what_was_published(
    tmp_path: Path, steps: list[tuple[tuple[object, ...], bool]]
) -> None:
    writer = ImageWriter.create(tmp_path / "i", ROWS)
    reader = ImageReader(tmp_path / "i")
    model = [[0, 0, 0, quality.BAD_WAITING_FOR_INITIAL_DATA, 0, 0] for _ in range(ROWS)]
    for (rows, bits, status, source, published, version, aux), look in steps:
        writer.publish(np.array(rows), bits, status, source, published, version, aux)  # type: ignore[arg-type]
        for row in rows:  # type: ignore[attr-defined]
            model[row][:4] = [bits, source, published, status]
            model[row][4] = model[row][4] if version is None else version
            model[row][5] = model[row][5] if aux is None else aux
        if look:
            assert reader.snapshot()
            columns = (
                reader.value,
                reader.source_ns,
                reader.publish_ns,
                reader.status,
                reader.version,
                reader.aux,
            )
            assert [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)] == model
    assert reader.missed == 0


@in_any_folder
@given(st.dictionaries(st.sampled_from([1, 4, 5]), st.text(max_size=255)))
def test_texts(tmp_path: Path, texts: dict[int, str]) -> None:
    writer = ImageWriter.create(tmp_path / "i", ROWS, string_rows=[1, 4, 5])
    reader = ImageReader(tmp_path / "i")
    right = dict.fromkeys((1, 4, 5), "")
    for row, text in texts.items():
        if len(text.encode()) > 255:
            with pytest.raises(ValueError, match="at most 255"):
                writer.put_string(row, text)
        else:
            writer.put_string(row, text)
            right[row] = text
    assert reader.snapshot()
    assert {row: reader.text(row) for row in right} == {row: writer.text(row) for row in right} == right
    with pytest.raises(KeyError):
        reader.text(0)
    with pytest.raises(KeyError):
        writer.put_string(0, "x")


def test_a_publish_carries_texts_in_the_same_bracket(tmp_path: Path) -> None:
    writer = ImageWriter.create(tmp_path / "i", 2, string_rows=[1])
    reader = ImageReader(tmp_path / "i")
    before = reader.sequence
    writer.publish(slice(1, 2), 1, 0, 5, 6, texts={1: "né"})
    assert reader.sequence == before + 1
    assert reader.snapshot()
    assert (reader.text(1), int(reader.value[1])) == ("né", 1)


def test_waiting_rows_are_not_good(tmp_path: Path) -> None:
    ImageWriter.create(tmp_path / "i", 3).close()
    reader = ImageReader(tmp_path / "i")
    assert (reader.status == quality.BAD_WAITING_FOR_INITIAL_DATA).all()
    assert reader.snapshot()
    assert (reader.status == quality.BAD_WAITING_FOR_INITIAL_DATA).all()


def test_a_reader_keeps_its_snapshot_while_the_writer_is_in_a_publish(tmp_path: Path) -> None:
    writer = ImageWriter.create(tmp_path / "i", 3)
    reader = ImageReader(tmp_path / "i")
    writer.publish(slice(None), 7, 0, 1, 1)
    assert reader.snapshot()
    writer.publish(slice(None), 8, 0, 1, 1)
    writer._words[BEGIN] += 1
    writer.value[0] = 9
    assert not reader.snapshot()
    assert reader.missed == 1
    assert reader.value.tolist() == [7, 7, 7]
    writer._words[END] += 1
    assert reader.snapshot()
    assert reader.value.tolist() == [9, 8, 8]


def test_tries_are_bounded_and_never_spoil_the_last_snapshot(tmp_path: Path) -> None:
    writer = ImageWriter.create(tmp_path / "i", 3)
    tries = 0

    class Disturbed(ImageReader):
        def _unchanged(self, end: int) -> bool:
            nonlocal tries
            tries += 1
            writer.publish(slice(0, 1), tries, 0, tries, tries, tries, tries)
            return super()._unchanged(end)

    quiet, reader = ImageReader(tmp_path / "i"), Disturbed(tmp_path / "i")
    writer.publish(slice(None), 100, 0, 1, 1)
    assert not reader.snapshot()
    assert tries == TRIES
    assert reader.value.tolist() == [0, 0, 0]
    assert quiet.snapshot()
    assert quiet.value.tolist() == [TRIES, 100, 100]


def test_one_that_takes_over_marks_all_rows_bad_if_the_last_writer_died_in_a_publish(tmp_path: Path) -> None:
    writer = ImageWriter.create(tmp_path / "i", 3, epoch=1)
    reader = ImageReader(tmp_path / "i")
    writer.publish(slice(None), 7, 0, 1, 1)
    again = ImageWriter.open(tmp_path / "i", 2)
    assert reader.snapshot()
    assert (reader.status == 0).all()
    again._words[BEGIN] += 1
    again.value[1] = 8
    ImageWriter.open(tmp_path / "i", 3)
    assert reader.snapshot()
    assert reader.epoch == 3
    assert (reader.status == quality.BAD_NO_COMMUNICATION).all()


def test_heartbeat_and_readiness_are_live(tmp_path: Path) -> None:
    ImageWriter.create(tmp_path / "i", 0).close()
    writer = ImageWriter.open(tmp_path / "i", 4)
    reader = ImageReader(tmp_path / "i")
    assert (reader.heartbeat, reader.ready, reader.epoch) == (0, False, 4)
    writer.beat()
    writer.ready()
    assert (reader.heartbeat, reader.ready) == (1, True)
    ImageWriter.open(tmp_path / "i", 5)
    assert not reader.ready


def test_a_reader_sees_that_the_plant_was_started_anew(tmp_path: Path) -> None:
    ImageWriter.create(tmp_path / "i", 1).close()
    reader = ImageReader(tmp_path / "i")
    assert not reader.replaced()
    ImageWriter.create(tmp_path / "i", 1).close()
    assert reader.replaced()
    (tmp_path / "i").unlink()
    assert reader.replaced()


@pytest.mark.parametrize(
    "damage", [lambda b: b"", lambda b: b[:-1], lambda b: b"X" + b[1:], lambda b: b + b"\0"]
)
def test_what_is_no_image_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "i"
    with pytest.raises(ImageError, match="does not exist"):
        ImageReader(path)
    ImageWriter.create(path, 3).close()
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ImageError, match="is not a"):
        ImageReader(path)


def test_files_are_private(tmp_path: Path) -> None:
    ImageWriter.create(tmp_path / "i", 3).close()
    assert (tmp_path / "i").stat().st_mode & 0o777 == 0o600
