from __future__ import annotations

import os
from pathlib import Path

import pytest

from historian.recording import MAGIC, Recorder, files, read
from scada.clock import SimulatedClock
from tags.events import EventWriter

HOUR = 3600 * 1_000_000_000


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    return tmp_path / "control.record"


@pytest.fixture
def writer(ring: Path) -> EventWriter:
    return EventWriter.create(ring, 1 << 20, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    return folder


def payloads(folder: Path) -> list[bytes]:
    return [frame.payload for path in files(folder) for frame in read(path)]


def test_a_recording_is_what_was_in_the_ring(folder: Path, ring: Path, writer: EventWriter) -> None:
    clock = SimulatedClock()
    recorder = Recorder(folder, ring, clock)
    assert recorder.tick() == 0
    assert files(folder) == []
    writer.append(b"one")
    writer.append(b"")
    recorder.tick()
    clock.advance(HOUR)
    writer.append(b"three")
    recorder.tick()
    recorder.close()
    assert [path.name for path in files(folder)] == ["2025-06-15T15.rec", "2025-06-15T16.rec"]
    frames = [frame for path in files(folder) for frame in read(path)]
    assert [(f.epoch, f.sequence, f.payload) for f in frames] == [
        (3, 0, b"one"),
        (3, 1, b""),
        (3, 2, b"three"),
    ]


@pytest.mark.parametrize("torn", [1, 5, 20, 21, 22])
def test_a_torn_end_is_cut_off_and_recorded_again(
    folder: Path, ring: Path, writer: EventWriter, torn: int
) -> None:
    clock = SimulatedClock()
    recorder = Recorder(folder, ring, clock)
    for payload in (b"one", b"two", b"three"):
        writer.append(payload)
    recorder.tick()
    recorder.close()
    path = files(folder)[0]
    os.truncate(path, path.stat().st_size - torn)
    writer.append(b"four")
    again = Recorder(folder, ring, clock)
    again.tick()
    again.close()
    assert payloads(folder) == [b"one", b"two", b"three", b"four"]


def test_damage_ends_a_recording_and_nothing_wrong_comes_out(
    folder: Path, ring: Path, writer: EventWriter
) -> None:
    for payload in (b"one", b"two", b"three"):
        writer.append(payload)
    recorder = Recorder(folder, ring, SimulatedClock())
    recorder.tick()
    recorder.close()
    path = files(folder)[0]
    good = path.read_bytes()
    for at in range(len(MAGIC), len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
        found = payloads(folder)
        assert found == [b"one", b"two", b"three"][: len(found)]
        assert len(found) < 3
    path.write_bytes(b"")
    assert payloads(folder) == []
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="is not a recording"):
        payloads(folder)
    Recorder(folder, ring, SimulatedClock()).close()
    assert files(folder) == []


def test_the_oldest_go_when_there_are_too_many(folder: Path, ring: Path, writer: EventWriter) -> None:
    clock = SimulatedClock()
    recorder = Recorder(folder, ring, clock, total_max=350_000)
    for _ in range(8):
        writer.append(b"x" * 50_000)
        writer.append(b"y" * 50_000)
        recorder.tick()
        clock.advance(HOUR)
    recorder.close()
    assert sum(path.stat().st_size for path in files(folder)) <= 350_000
    assert files(folder)[-1].name == "2025-06-15T22.rec"


def test_a_full_disk_leaves_whole_frames_and_goes_on(
    folder: Path, ring: Path, writer: EventWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(folder, ring, SimulatedClock())
    writer.append(b"one")
    recorder.tick()
    write = os.write
    room = [10]

    def full(file: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        done = write(file, data[: room[0]])
        room[0] -= done
        return done

    writer.append(b"two two two")
    monkeypatch.setattr(os, "write", full)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            recorder.tick()
    monkeypatch.setattr(os, "write", write)
    assert payloads(folder) == [b"one"]
    recorder.tick()
    assert payloads(folder) == [b"one", b"two two two"]
    recorder.close()
