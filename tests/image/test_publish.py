"""A writer's files together."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from tags import quality
from tags.events import EventReader
from tags.image import BEGIN, ImageError, ImageReader
from tags.model import Site, Tag
from tags.publish import Publisher, create_files, mark_dead, ring_capacity, writers
from tags.ring import RingReader
from tags.slots import SlotReader, SlotWriter
from tags.types import from_bits
from tests.support.site import make_site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = make_site()
    create_files(tmp_path, site, 1)
    return site


def control(run: Path, site: Site, epoch: int = 2) -> Publisher:
    return Publisher(run, "control", site.of_writer("control"), epoch, utc_ns=50, now_ns=5)


def snapshot(run: Path, writer: str = "control") -> ImageReader:
    reader = ImageReader(run / f"{writer}.image")
    assert reader.snapshot()
    return reader


def test_a_writer_that_starts_appends_all_its_tags(tmp_path: Path, site: Site) -> None:
    publisher = control(tmp_path, site)
    records, lost = RingReader(tmp_path / "control.ring").read()
    assert lost == 0
    assert records["tag"].tolist() == [0, *(tag.id for tag in publisher.tags)]
    assert set(records["status"][1:].tolist()) == {quality.BAD_WAITING_FOR_INITIAL_DATA}
    assert set(records["source_ns"][1:].tolist()) == {50}


def test_a_change_moves_the_version_and_goes_to_the_ring_a_sample_does_not(
    tmp_path: Path, site: Site
) -> None:
    publisher = control(tmp_path, site)
    ring = RingReader(tmp_path / "control.ring")
    ring.to_end()
    rows = np.array([0, 1, 2])
    publisher.put(rows, np.array([7, 1, 1], np.uint64), 0, 100, 10)
    first = snapshot(tmp_path).version[:3].tolist()
    assert first == [2 << 32 | 1] * 3
    assert len(ring.read()[0]) == 3
    publisher.put(rows, np.array([7, 1, 0], np.uint64), 0, 200, 20)
    image = snapshot(tmp_path)
    assert image.version[:3].tolist() == [2 << 32 | 1, 2 << 32 | 1, 2 << 32 | 2]
    assert image.source_ns[:3].tolist() == [200] * 3
    assert image.publish_ns[:3].tolist() == [20] * 3
    records, _ = ring.read()
    assert records["tag"].tolist() == [publisher.tags[2].id]
    publisher.put(rows, image.value[:3].copy(), quality.UNCERTAIN, 300, 30)
    assert len(ring.read()[0]) == 3
    publisher.put(rows, image.value[:3].copy(), quality.UNCERTAIN, 300, 30)
    assert len(ring.read()[0]) == 0


def test_a_command_given_again_is_renewed(tmp_path: Path, site: Site) -> None:
    publisher = control(tmp_path, site)
    for _ in range(2):
        publisher.put(slice(1, 2), 1, 0, 100, 10, aux=1, renew=True)
    image = snapshot(tmp_path)
    assert int(image.version[1]) == 2 << 32 | 2
    assert int(image.aux[1]) == 1


def test_the_ring_has_a_change_before_the_image_shows_it(tmp_path: Path, site: Site) -> None:
    publisher = control(tmp_path, site)
    ring = RingReader(tmp_path / "control.ring")
    ring.to_end()
    seen: list[int] = []
    publish = publisher.image.publish

    def watched(*args: Any) -> None:
        seen.append(ring.behind)
        publish(*args)

    publisher.image.publish = watched  # type: ignore[method-assign, assignment]
    publisher.put(slice(0, 1), 9, 0, 100, 10)
    assert seen == [1]


def test_values_of_every_kind(tmp_path: Path, site: Site) -> None:
    publisher = control(tmp_path, site)
    by_path = {tag.path: tag for tag in publisher.tags}
    values: dict[str, Any] = {"tank1/LIC-101/SP": 2.75, "tank1/LIC-101/MODE": 2, "tank1/draining": True}
    publisher.put_values([(by_path[path].row, value) for path, value in values.items()], 0, 100, 10)
    note = by_path["tank1/note"]
    publisher.put_value(note.row, "leak", 0, 100, 10)
    image = snapshot(tmp_path)
    for path, value in values.items():
        assert from_bits(by_path[path].type, int(image.value[by_path[path].row])) == value
    assert image.text(note.row) == "leak"
    with pytest.raises(ValueError, match="whole number"):
        publisher.put_value(by_path["tank1/LIC-101/MODE"].row, 2.5, 0, 100, 10)
    with pytest.raises(ValueError, match="finite"):
        publisher.put_value(by_path["tank1/LIC-101/SP"].row, math.nan, 0, 100, 10)


def test_a_text_changes_once(tmp_path: Path, site: Site) -> None:
    publisher = control(tmp_path, site)
    row = publisher.rows["tank1/note"]
    for text, now in (("", 1), ("a", 2), ("a", 3), ("b", 4)):
        publisher.put_value(row, text, 0, now * 100, now)
    events = [orjson.loads(data) for _, data in EventReader(tmp_path / "control.events").read()[0]]
    assert [(event["value"], event["t"], event["bits"]) for event in events] == [
        ("", 100, 1),
        ("a", 200, 2),
        ("b", 400, 3),
    ]
    assert events[0]["kind"] == "string"
    assert events[0]["path"] == "tank1/note"
    image = snapshot(tmp_path)
    assert int(image.publish_ns[row]) == 4
    assert int(image.value[row]) == 3
    again = control(tmp_path, site, 3)
    told = [orjson.loads(data) for _, data in EventReader(tmp_path / "control.events").read()[0]]
    assert told[-1]["value"] == "b"
    again.put_status(slice(None), quality.BAD_NO_COMMUNICATION, 500, 5)
    assert snapshot(tmp_path).text(row) == "b"


def test_a_dead_writer_s_tags_are_bad_and_keep_their_values(tmp_path: Path, site: Site) -> None:
    publisher = control(tmp_path, site)
    publisher.put_value(publisher.rows["tank1/LIC-101/SP"], 2.0, 0, 100, 10)
    ring = RingReader(tmp_path / "control.ring")
    ring.to_end()
    mark_dead(tmp_path, "control", site.of_writer("control"), 9, utc_ns=700, now_ns=70)
    image = snapshot(tmp_path)
    row = publisher.rows["tank1/LIC-101/SP"]
    assert (image.status == quality.BAD_NO_COMMUNICATION).all()
    assert from_bits("float64", int(image.value[row])) == 2.0
    assert (image.version >> 32 == 9).all()
    assert image.epoch == 9
    bad = ring.read()[0]
    assert int(bad["bits"][0]) == 9
    assert set(bad["source_ns"][-len(image.value) :].tolist()) == {700}
    assert len(bad) == 1 + len(image.value)
    mark_dead(tmp_path, "control", site.of_writer("control"), 9, utc_ns=800, now_ns=80)
    assert (snapshot(tmp_path).source_ns == 800).all()


def test_the_ring_knows_of_rows_that_a_death_inside_a_publish_made_bad(tmp_path: Path, site: Site) -> None:
    publisher = control(tmp_path, site)
    publisher.put(slice(None), 1, 0, 100, 10)
    ring = RingReader(tmp_path / "control.ring")
    ring.to_end()
    publisher.image._words[BEGIN] += 1
    mark_dead(tmp_path, "control", site.of_writer("control"), 9, utc_ns=700, now_ns=70)
    records = ring.read()[0]
    assert (records["status"][1:] == quality.BAD_NO_COMMUNICATION).all()
    assert records["tag"][1:].tolist() == [tag.id for tag in publisher.tags]


def test_versions_rise_also_in_one_epoch_taken_twice(tmp_path: Path, site: Site) -> None:
    control(tmp_path, site).put(slice(0, 1), 1, 0, 1, 1)
    first = int(snapshot(tmp_path).version[0])
    control(tmp_path, site).put(slice(0, 1), 2, 0, 1, 1)
    assert int(snapshot(tmp_path).version[0]) > first


def test_every_file_is_there_before_any_service(tmp_path: Path, site: Site) -> None:
    names = ("control", "field", "historian", "hmi", "opcua", "supervisor")
    assert writers(site) == names
    for name in names:
        assert snapshot(tmp_path, name).rows == len(site.of_writer(name))
        RingReader(tmp_path / f"{name}.ring")
        EventReader(tmp_path / f"{name}.events")
    EventReader(tmp_path / "control.record")
    for name in ("control.state", "control.forces"):
        assert SlotReader(tmp_path / name).read() is None


def test_a_new_start_keeps_what_nobody_has_read(tmp_path: Path, site: Site) -> None:
    publisher = control(tmp_path, site)
    ring = RingReader(tmp_path / "control.ring")
    ring.to_end()
    publisher.put(slice(0, 1), 9, 0, 100, 10)
    publisher.event("service", 1, state="x")
    image = ImageReader(tmp_path / "control.image")
    create_files(tmp_path, site, 5)
    assert image.replaced()
    assert not ring.replaced()
    records, lost = ring.read()
    assert (records["bits"].tolist(), lost) == ([9], 0)
    assert len(EventReader(tmp_path / "control.events").read()[0]) == 1


def test_a_new_start_takes_over_the_state_of_control(tmp_path: Path, site: Site) -> None:
    """The supervisor was killed: nobody copied the last second to disk, or with a full disk the last week."""
    slots = SlotWriter.open(tmp_path / "control.state", 4)
    slots.write(b"set points")
    create_files(tmp_path, site, 70)
    assert SlotReader(tmp_path / "control.state").read() == b"set points"
    create_files(tmp_path, site, 1)  # epochs begin again: another data directory of the same path
    assert SlotReader(tmp_path / "control.state").read() is None


def test_another_number_of_tags_is_refused(tmp_path: Path, site: Site) -> None:
    with pytest.raises(ImageError, match="rows"):
        Publisher(tmp_path, "control", site.of_writer("control")[:-1], 3)


def test_a_ring_holds_a_minute_of_the_declared_peak() -> None:
    def tags(count: int, scan_ns: int) -> list[Tag]:
        return [
            Tag(id=1 + i, path=f"t{i}", type="bool", kind="device", writer="field", row=i, scan_ns=scan_ns)
            for i in range(count)
        ]

    assert ring_capacity([]) == 1 << 14
    assert ring_capacity(tags(1000, 10**8)) >= 600_000
    assert ring_capacity(tags(1000, 0)) >= 60_000
