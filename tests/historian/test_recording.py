"""A recording is what was in the ring: whole, small, bounded, and readable behind damage."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from historian.recorded import RecordingError, recordings
from historian.recording import PACK_NS, TAIL, Recorder, files, head_frames, head_of
from scada.clock import SimulatedClock
from scada.scan import Replay, record
from scada.scan.record import Item, Scan
from tags.events import EventReader, EventWriter
from tests.scan.plant import SITE
from tests.scan.test_replay import recorded

HOUR = 3600 * 1_000_000_000


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    return tmp_path / "control.record"


@pytest.fixture
def writer(ring: Path) -> EventWriter:
    return EventWriter.create(ring, 4 << 20, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    return folder


RECORDS = recorded(400, checkpoints=100)[
    :-1
]  # checkpoints before the first scan and after 100, 200, 300 and 400


def numbers(folder: Path) -> list[int]:
    return [scan.tick.number for one in recordings(folder) for scan in scans(one.items())]


def scans(items: Iterable[Item]) -> list[Scan]:
    return [item for item in items if isinstance(item, Scan)]


def replayed(folder: Path) -> Replay:
    (recording,) = recordings(folder)
    replay = Replay(recording.program)
    for _ in replay.run(recording.items()):
        pass
    return replay


def test_a_recording_is_what_was_in_the_ring(folder: Path, ring: Path, writer: EventWriter) -> None:
    clock = SimulatedClock()
    recorder = Recorder(folder, ring, clock, SITE)
    assert recorder.tick() == 0
    assert files(folder) == []
    for n, one in enumerate(RECORDS):
        writer.append(one)
        if n % 7 == 0:
            recorder.tick()
    recorder.tick()
    assert len(files(folder)) == 1
    replay = replayed(folder)  # what is not packed yet is read from the tail
    assert (replay.scans, replay.skipped, replay.gaps) == (400, 0, 0)
    assert replay.checked == 44
    recorder.close()
    assert not (folder / TAIL).exists()
    assert replayed(folder).checked == 44
    assert sum(path.stat().st_size for path in files(folder)) < sum(map(len, RECORDS)) / 4


def test_what_comes_back_is_what_went_in(folder: Path, ring: Path, writer: EventWriter) -> None:
    for one in RECORDS:
        writer.append(one)
    Recorder(folder, ring, SimulatedClock(), SITE).close()
    (recording,) = recordings(folder)
    assert recording.site == SITE
    packed = scans(recording.items())
    plain = scans(record.items(RECORDS, recording.program))
    assert len(packed) == len(plain)
    for mine, other in zip(packed, plain, strict=True):
        assert (mine.tick, mine.requests, mine.told, mine.check) == (
            other.tick, other.requests, other.told, other.check,
        )  # fmt: skip
        assert repr(sorted(mine.inputs.samples)) == repr(sorted(other.inputs.samples))
        assert sorted(mine.inputs.acted) == sorted(other.inputs.acted)
        assert sorted(mine.inputs.versions) == sorted(other.inputs.versions)


def test_each_file_stands_alone_and_a_new_one_begins_at_a_checkpoint(
    folder: Path, ring: Path, writer: EventWriter
) -> None:
    clock = SimulatedClock()
    recorder = Recorder(folder, ring, clock, SITE)
    for one in RECORDS:
        writer.append(one)
        recorder.tick()
        clock.advance(HOUR // 150)
    recorder.close()
    names = [path.name for path in files(folder)]
    assert names[0] == "2025-06-15T15-06-40Z.rec"
    assert len(names) == 3
    assert all("T16-2" in name or "T17-4" in name for name in names[1:]), names
    whole = numbers(folder)
    assert whole == list(range(1, 401))
    files(folder)[0].unlink()
    replay = replayed(folder)
    assert (replay.scans, replay.skipped) == (200, 0)


def test_a_part_of_the_time_is_read_from_its_last_checkpoint_on(
    folder: Path, ring: Path, writer: EventWriter
) -> None:
    for one in RECORDS:
        writer.append(one)
    Recorder(folder, ring, SimulatedClock(), SITE).close()
    (recording,) = recordings(folder)
    times = [scan.tick.utc_ns for scan in scans(recording.items())]
    some = scans(recording.items(times[250], times[270]))
    assert [scan.tick.number for scan in some] == list(range(201, 272))
    replay = Replay(recording.program)
    assert sum(1 for _ in replay.run(recording.items(times[250], times[270]))) == 71


def test_files_of_an_earlier_time_are_not_read(folder: Path, ring: Path, writer: EventWriter) -> None:
    clock = SimulatedClock()
    recorder = Recorder(folder, ring, clock, SITE)
    for one in RECORDS:
        writer.append(one)
        recorder.tick()
        clock.advance(HOUR // 150)
    recorder.close()
    (recording,) = recordings(folder)
    began = [int(head_of(path)["begun"]) for path in recording.paths]
    assert recording._from(began[2] + 5) == recording.paths[2:]
    assert recording._from(began[0] - 5) == recording.paths


@pytest.mark.parametrize("torn", [1, 20, 300])
def test_after_a_crash_it_goes_on_where_it_was(
    folder: Path, ring: Path, writer: EventWriter, torn: int
) -> None:
    clock = SimulatedClock()
    recorder = Recorder(folder, ring, clock, SITE)
    half = len(RECORDS) // 2 + 20
    for one in RECORDS[:half]:
        writer.append(one)
        recorder.tick()
    del recorder  # it dies; the last write did not all get to the disk
    tail = folder / TAIL
    os.truncate(tail, tail.stat().st_size - torn)
    for one in RECORDS[half:]:
        writer.append(one)
    again = Recorder(folder, ring, clock, SITE)
    again.tick()
    assert numbers(folder) == list(range(1, 401))
    again.close()
    assert numbers(folder) == list(range(1, 401))
    assert replayed(folder).checked == 44


@pytest.mark.parametrize("torn", [1, 20, 300])
def test_a_torn_end_of_a_file_is_cut_off_and_taken_from_the_tail(
    folder: Path, ring: Path, writer: EventWriter, torn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimulatedClock()
    recorder = Recorder(folder, ring, clock, SITE)
    for one in RECORDS[:150]:
        writer.append(one)
        recorder.tick()
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)  # the power fails before the tail is emptied
    clock.advance(PACK_NS)
    recorder.tick()
    monkeypatch.undo()
    path = files(folder)[0]
    os.truncate(path, path.stat().st_size - torn)
    for one in RECORDS[150:]:
        writer.append(one)
    again = Recorder(folder, ring, clock, SITE)
    again.tick()
    again.close()
    assert numbers(folder) == list(range(1, 401))


def test_what_is_in_the_file_and_still_in_the_tail_is_read_once(
    folder: Path, ring: Path, writer: EventWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimulatedClock()
    recorder = Recorder(folder, ring, clock, SITE)
    for one in RECORDS[:150]:
        writer.append(one)
        recorder.tick()
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)  # the power fails before the tail is emptied
    clock.advance(PACK_NS)
    recorder.tick()
    monkeypatch.undo()
    whole = list(range(1, len([one for one in RECORDS[:150] if one[:1] == b"T"]) + 1))
    assert numbers(folder) == whole
    again = Recorder(folder, ring, clock, SITE)
    again.close()
    assert numbers(folder) == whole


def test_damage_costs_what_is_damaged(folder: Path, ring: Path, writer: EventWriter) -> None:
    for one in RECORDS:
        writer.append(one)
    Recorder(folder, ring, SimulatedClock(), SITE).close()
    (path,) = files(folder)
    good = path.read_bytes()
    whole = numbers(folder)
    for at in range(3, len(good), len(good) // 12):
        path.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
        found = recordings(folder)
        left = [scan.tick.number for scan in scans(found[0].items())]
        assert len(left) >= 300
        assert set(left) <= set(whole)
        assert found[0].damaged == 1
        replay = Replay(found[0].program)
        for _ in replay.run(found[0].items()):
            pass
        assert replay.scans >= 200
    path.write_bytes(b"something else")
    with pytest.raises(RecordingError, match="no recording of this version"):
        recordings(folder)
    path.unlink()
    with pytest.raises(RecordingError, match="there is no recording of control here"):
        recordings(folder)


def test_the_oldest_go_when_there_are_too_many(folder: Path, ring: Path, writer: EventWriter) -> None:
    clock = SimulatedClock()
    recorder = Recorder(folder, ring, clock, SITE, total_max=60_000)
    for _ in range(5):
        for one in RECORDS:
            writer.append(one)
            recorder.tick()
            clock.advance(HOUR // 100)
    recorder.close()
    assert sum(path.stat().st_size for path in files(folder)) <= 60_000
    assert 2 <= len(files(folder)) <= 8
    assert numbers(folder)[-1] == 400


def test_what_the_ring_lost_is_a_gap(folder: Path, ring: Path) -> None:
    writer = EventWriter.create(ring, 128 << 10, 3)
    recorder = Recorder(folder, ring, SimulatedClock(), SITE)
    for one in RECORDS[:50]:
        writer.append(one)
    recorder.tick()
    for one in RECORDS[50:]:
        writer.append(one)
    reader = EventReader(ring)
    assert len(reader.read(10_000)[0]) < len(RECORDS) - 50
    recorder.close()
    replay = replayed(folder)
    assert replay.gaps == 1
    assert replay.skipped > 0
    assert replay.differing == 0


def test_a_full_disk_leaves_whole_frames_and_goes_on(
    folder: Path, ring: Path, writer: EventWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(folder, ring, SimulatedClock(), SITE)
    for one in RECORDS[:60]:
        writer.append(one)
    recorder.tick()
    write = os.write
    room = [10]

    def full(file: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        done = write(file, data[: room[0]])
        room[0] -= done
        return done

    for one in RECORDS[60:]:
        writer.append(one)
    monkeypatch.setattr(os, "write", full)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            recorder.tick()
    monkeypatch.setattr(os, "write", write)
    assert numbers(folder)[-1] < 60
    recorder.tick()
    recorder.close()
    assert numbers(folder) == list(range(1, 401))


def test_another_version_of_the_site_begins_another_file(
    folder: Path, ring: Path, writer: EventWriter
) -> None:
    """The ring outlives the change: what came before it goes to the old file, what is of neither goes nowhere."""
    digests = [SITE.digest, "d" * 64, "e" * 64]
    lives = [
        [one.replace(SITE.digest.encode(), digest.encode()) for one in RECORDS[:60]] for digest in digests
    ]
    for one in RECORDS[30:40]:  # of a life whose start is gone
        writer.append(one)
    for one in lives[0][:40]:
        writer.append(one)
    Recorder(folder, ring, SimulatedClock(), SITE).close()
    assert numbers(folder) == list(range(1, 39))
    for one in lives[0][40:] + lives[1] + lives[2]:
        writer.append(one)
    clock = SimulatedClock()
    clock.advance(10**9)
    other = dataclasses.replace(SITE, digest="e" * 64)
    recorder = Recorder(folder, ring, clock, other)
    recorder.tick()
    for end in (recorder.close, lambda: None):
        found = recordings(folder)
        assert [one.site.digest for one in found] == [SITE.digest, "e" * 64]
        assert [len(scans(one.items())) for one in found] == [58, 58]
        end()


def test_recordings_of_an_earlier_version_are_left_alone(
    folder: Path, ring: Path, writer: EventWriter
) -> None:
    old = folder / "2025-01-01T10.rec"
    old.write_bytes(b"CLREC001" + bytes(100))
    for one in RECORDS:
        writer.append(one)
    Recorder(folder, ring, SimulatedClock(), SITE).close()
    assert old.stat().st_size == 108
    assert numbers(folder) == list(range(1, 401))


def test_a_recording_of_a_large_site_begins_at_once() -> None:
    tag = SITE.tags[0]
    large = tuple(dataclasses.replace(tag, id=1000 + n, path=f"a/zone/{n}") for n in range(10_000))
    begun = time.thread_time()
    head_frames(dataclasses.replace(SITE, tags=large), 0)
    assert time.thread_time() - begun < 2, "the historian has no heartbeat meanwhile"
