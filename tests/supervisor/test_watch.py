"""Judgement over time: pure."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.datadir import DataDirError
from scada.supervisor.epoch import BLOCK, Epochs
from scada.supervisor.lock import lock
from scada.supervisor.logs import DISK_MAX, MEMORY_MAX, Logs, last_words
from scada.supervisor.watch import LATE_NS, SECOND, TICK_NS, Backoff, Crashes, Heartbeat, Ticker


def test_silence_of_the_limit_is_death() -> None:
    heart = Heartbeat(SECOND)
    heart.tick(7, on_time=True)
    assert [heart.tick(7, on_time=True) for _ in range(10)] == [False] * 9 + [True]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=80), st.integers(1, 30))
def test_death_needs_as_many_on_time_ticks_in_a_row_without_a_beat(
    ticks: list[tuple[bool, bool]], limit: int
) -> None:
    heart = Heartbeat(limit * TICK_NS)
    beat, run = 0, 0
    heart.tick(beat, on_time=True)
    for beats, on_time in ticks:
        beat += beats
        run = 0 if beats or not on_time else run + 1
        assert heart.tick(beat, on_time=on_time) == (run >= limit)


def test_a_paused_watcher_is_late() -> None:
    ticker = Ticker()
    assert not ticker.on_time(0)
    assert ticker.on_time(TICK_NS)
    assert ticker.on_time(TICK_NS + LATE_NS)
    assert not ticker.on_time(TICK_NS + 2 * LATE_NS + 1)
    assert ticker.on_time(2 * TICK_NS + 2 * LATE_NS)


def test_back_off_doubles_to_ten_seconds_and_is_as_new_after_a_minute() -> None:
    backoff = Backoff()
    waits = [backoff.after(SECOND) / SECOND for _ in range(8)]
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
    assert backoff.after(60 * SECOND) == SECOND // 5


def test_three_crashes_within_five_minutes() -> None:
    crashes = Crashes()
    for minute in (0, 3, 4):
        crashes.add(minute * 60 * SECOND)
    assert crashes.too_many(5 * 60 * SECOND)
    assert not crashes.too_many(5 * 60 * SECOND + 1)
    crashes.add(8 * 60 * SECOND)
    assert crashes.too_many(8 * 60 * SECOND)
    crashes.add(20 * 60 * SECOND)
    assert not crashes.too_many(20 * 60 * SECOND)


def test_epochs_rise_over_restarts_and_blocks(tmp_path: Path) -> None:
    seen = []
    for count in (3, BLOCK + 5, 1, 2 * BLOCK):
        epochs = Epochs(tmp_path / "epoch")
        seen += [epochs.next() for _ in range(count)]
    assert seen == sorted(set(seen))
    assert Epochs(tmp_path / "epoch").next() > seen[-1]


def test_a_full_disk_does_not_stop_epochs(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    epochs = Epochs(folder / "epoch")
    (folder / "epoch").unlink()
    folder.rmdir()
    given_out = [epochs.next() for _ in range(2 * BLOCK)]
    assert given_out == sorted(set(given_out))
    assert "No such file" in epochs.error


def test_a_damaged_epoch_is_refused(tmp_path: Path) -> None:
    (tmp_path / "epoch").write_text("x7")
    with pytest.raises(ValueError, match="is not an epoch"):
        Epochs(tmp_path / "epoch")


def test_the_lock_is_exclusive_and_free_when_closed(tmp_path: Path) -> None:
    import os

    first = lock(tmp_path / "lock")
    with pytest.raises(DataDirError, match=f"in use by process {os.getpid()}"):
        lock(tmp_path / "lock")
    os.close(first)
    os.close(lock(tmp_path / "lock"))


def test_last_words_prefer_the_critical_line(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert last_words(log) == ""
    log.write_text('{"level":"critical","event":"old"}\n')
    start = log.stat().st_size
    with log.open("a") as file:
        file.write('{"level":"critical","event":"why"}\nTraceback\n  ValueError: x\n')
    assert last_words(log, start) == "why"
    assert last_words(log, start + 35) == "ValueError: x"


def test_logs_are_bounded_in_memory_and_on_disk(tmp_path: Path) -> None:
    import os

    run, disk = tmp_path / "run", tmp_path / "logs"
    run.mkdir()
    disk.mkdir()
    logs = Logs(run, disk)
    descriptor = logs.open("field")
    line = b"x" * 99 + b"\n"
    written = 0
    for _ in range(30):
        for _ in range(5):
            written += os.write(descriptor, line * 1000)
        logs.copy()
        assert (run / "field.log").stat().st_size <= MEMORY_MAX + 500_000
    os.close(descriptor)
    newest, older = disk / "field.log", disk / "field.log.1"
    assert newest.stat().st_size <= DISK_MAX
    assert older.stat().st_size <= DISK_MAX + 2_000_000
    assert set(older.read_bytes()[:100]) == set(line)


def test_a_full_disk_does_not_stop_the_logs_in_memory(tmp_path: Path) -> None:
    import os

    run = tmp_path / "run"
    run.mkdir()
    logs = Logs(run, tmp_path / "absent")
    descriptor = logs.open("field")
    for _ in range(5):
        os.write(descriptor, b"x" * 600_000)
        logs.copy()
    os.close(descriptor)
    assert (run / "field.log").stat().st_size <= MEMORY_MAX + 600_000
