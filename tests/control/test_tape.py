"""The recording of control as it runs: checkpoints in time, and nothing that goes wrong reaches the scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scada.control import tape
from scada.control.tape import Tape
from scada.scan import Replay, record
from tags.events import EventReader, EventWriter
from tests.scan.plant import PROGRAM, START_NS, Plant


class Taped:
    """A plant with a tape."""

    def __init__(self, folder: Path) -> None:
        self.ring = folder / "ring"
        EventWriter.create(self.ring, 4 << 20, 1)
        self.plant = Plant()
        self.said: list[str] = []
        self.tape = Tape(
            self.ring, 1, PROGRAM, self.plant.state, START_NS, manual=False, complain=self.said.append
        )

    def scan(self, count: int = 1, periods: int = 1) -> None:
        for _ in range(count):
            self.plant.scan(periods=periods)
            self.tape.note(self.plant.state, *self.plant.given[-1], self.plant.last)

    def records(self) -> list[bytes]:
        reader = EventReader(self.ring)
        found: list[bytes] = []
        while some := reader.read()[0]:
            found += [one for _, one in some]
        reader.close()
        return found


def replayed(records: list[bytes]) -> Replay:
    replay = Replay(PROGRAM)
    for _ in replay.run(record.items(records, PROGRAM)):
        pass
    return replay


def test_a_checkpoint_comes_each_ten_minutes_and_one_can_begin_there(tmp_path: Path) -> None:
    taped = Taped(tmp_path)
    taped.scan(50)
    taped.scan(2, periods=3000)  # ten minutes
    taped.scan(40)
    records = taped.records()
    places = [n for n, one in enumerate(records) if one[:1] == b"K"]
    assert len(places) == 2
    replay = replayed(records)
    assert (replay.scans, replay.skipped, replay.differing) == (92, 0, 0)
    assert replay.checked == 1
    later = replayed(records[places[1] - 1 :])  # also the scan before it, which has no state to begin from
    assert (later.scans, later.skipped) == (40, 1)
    assert taped.said == []


def test_a_checkpoint_comes_after_many_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "CHECKPOINT_BYTES", 20_000)
    taped = Taped(tmp_path)
    taped.scan(300)
    records = taped.records()
    assert sum(one[:1] == b"K" for one in records) > 3
    replay = replayed(records)
    assert replay.scans == 300
    assert replay.differing == replay.skipped == 0


def test_what_goes_wrong_is_said_once_and_the_scan_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taped = Taped(tmp_path)
    taped.scan(5)

    def fails(*_: Any) -> bytes:
        raise RuntimeError("no luck")

    with monkeypatch.context() as broken:
        broken.setattr(record.Told, "of", fails)
        taped.scan(5)
    assert taped.said == ["RuntimeError: no luck"]
    taped.scan(5)
    taped.scan(2, periods=3000)
    taped.scan(5)
    replay = replayed(taped.records())
    assert replay.gaps == 1
    assert replay.scans == 5 + 5
    assert replay.state is not None
    assert record.checksum(replay.state) == record.checksum(taped.plant.state)
