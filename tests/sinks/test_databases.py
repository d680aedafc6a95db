"""The real InfluxDB and VictoriaMetrics of Debian: outages, replay, poison."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from historian.sinks.counting import counted
from historian.sinks.reading import RefusedError, SinkReader
from historian.sinks.state import Cursor, State
from historian.store import SAMPLE, Batch
from scada.clock import SystemClock
from tests.sinks.databases import Database
from tests.sinks.faults import Proxy
from tests.sinks.rig import LEVEL, START, Rig, make_sink
from tests.support.wait import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
COMMITS, ROWS = 60, 2000


@pytest.fixture
def influx(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "influx", "influxd")
    yield database
    database.stop()


@pytest.fixture
def victoria(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "victoria", "victoria-metrics")
    yield database
    database.stop()


def deliver(rig: Rig) -> None:
    """Turns until everything is delivered, across waits."""
    wait_for(lambda: rig.run(5000) and rig.worker.idle, 60.0, "delivery")


def count(influx: Database) -> int:
    rows = influx.influxql('SELECT count("v"), count("q") FROM "small"')
    assert rows[0][1] == rows[0][2]
    return int(rows[0][1])


def test_killed_in_mid_replay_and_started_again_it_has_every_row_once(
    tmp_path: Path, influx: Database
) -> None:
    rig = Rig(tmp_path / "history", make_sink(influx.url, retention_ns=1_000_000 * 3600 * 10**9))
    for number in range(COMMITS):
        rig.commit(ROWS)
        if number % 20 == 19:
            rig.fold()
    for _ in range(12):
        rig.worker.turn()
    influx.stop()
    rig.run()
    assert rig.worker.problem
    rig.restart()
    rig.run()
    influx.start()
    deliver(rig)
    assert count(influx) == COMMITS * ROWS
    rows = influx.influxql('SELECT "v", "q" FROM "small" WHERE "id" = \'tank1/LT-101\'')
    assert [row[1:] for row in rows] == [[n, 0] for n in range(COMMITS * ROWS)]
    assert [row[0] for row in rows] == [START + n * 1000 for n in range(COMMITS * ROWS)]
    assert influx.influxql('SHOW RETENTION POLICIES ON "plant"')[0][1] == "1000000h0m0s"
    assert rig.worker.lost == rig.worker.refused == 0

    # sent again from an earlier cursor, nothing is doubled
    rig.worker.close()
    desk = State.writer(rig.folder)
    cursor = desk.cursors()["db"]
    rig.commit(10)
    desk.commit("db", Cursor(cursor.store, COMMITS - 20, 0))
    desk.close()
    rig.worker = rig.make()
    deliver(rig)
    assert rig.worker.sent >= 10
    assert count(influx) == COMMITS * ROWS + 10
    rig.close()


def test_a_field_of_another_type_is_quarantined_and_the_rest_delivered(
    tmp_path: Path, influx: Database
) -> None:
    rig = Rig(tmp_path / "history", make_sink(influx.url))
    influx.influxql('CREATE DATABASE "plant"')
    influx.get("/write", f"small,id=other s=1i {START}".encode(), db="plant")
    rig.commit(3000)
    rig.note("a text where a number stands")
    rig.commit(3000)
    deliver(rig)
    assert count(influx) == 6000
    desk = State.writer(rig.folder)
    refused = desk.quarantine("db")
    assert len(refused) == 1
    assert "field type conflict" in refused[0].error
    influx.influxql('DROP SERIES FROM "small" WHERE "id" = \'other\'')
    influx.influxql('DROP MEASUREMENT "small"')
    desk.retry("db")
    deliver(rig)
    assert rig.worker.refused == 0
    assert influx.influxql('SELECT "s" FROM "small"')[0][1] == "a text where a number stands"
    desk.close()
    rig.close()


def test_what_is_older_than_its_retention_is_put_aside_at_once(tmp_path: Path, influx: Database) -> None:
    rig = Rig(tmp_path / "history", make_sink(influx.url, retention_ns=3600 * 10**9))
    rig.commit(20_000)  # of last year
    rig.number = (SystemClock().utc_ns() - START) // rig.step_ns
    rig.commit(5)
    deliver(rig)
    assert count(influx) == 5
    assert rig.worker.refused == 20_000
    rig.close()


def test_old_history_that_a_database_does_not_keep_is_left_out(tmp_path: Path, influx: Database) -> None:
    rig = Rig(tmp_path / "history", make_sink(influx.url, history_ns=0, retention_ns=5 * 3600 * 10**9))
    now = SystemClock().utc_ns()
    rig.number = (now - START) // rig.step_ns
    rig.clock.advance(now - START)
    rig.commit(5)
    deliver(rig)
    influx.influxql('ALTER RETENTION POLICY "autogen" ON "plant" DURATION 1h')
    rows = np.zeros(300, SAMPLE)
    # InfluxDB takes what its newer rows make a shard for, so up to an hour more than it keeps.
    old, new = np.arange(100) * 20 - 4 * 3600, np.arange(-199, 1) * 10
    rows["tag"], rows["t"] = rig.ids[LEVEL], now + np.concatenate([old, new]) * 10**9
    rig.worker.close()
    rig.store.append(Batch(rows))
    desk = State.writer(rig.folder)
    desk.commit("db", Cursor(rig.store.key(), 2, 0, 0, 0, now))
    desk.ask("db", now - 5 * 3600 * 10**9, now + 10**9, "asked")
    desk.close()
    rig.worker = rig.make()
    deliver(rig)
    assert rig.worker.refused == 0
    (said,) = [message for state, message in rig.said if state == "filled" and "asked" in message]
    assert "It left out 100 " in said
    assert count(influx) == 205
    rig.close()


def test_wiped_in_mid_replay_the_counts_are_equal_at_the_end(tmp_path: Path, influx: Database) -> None:
    rig = Rig(tmp_path / "history", make_sink(influx.url, history_ns=0, batch=500, parallel=3))
    for number in range(COMMITS):
        rig.commit_many(ROWS)
        if number % 20 == 19:
            rig.fold()
    rig.clock.advance(COMMITS * ROWS * rig.step_ns)
    for _ in range(60):
        rig.worker.turn()
    assert rig.worker.sent > 10_000
    influx.influxql('DROP DATABASE "plant"')
    for _ in range(60):
        rig.worker.turn()
    influx.stop()
    rig.run(5000)
    influx.start()
    deliver(rig)
    assert [state for state, _ in rig.said if state in ("wiped", "create")] == ["create", "create", "wiped"]
    reader = SinkReader(rig.sink)
    counts = reader.counts(START, rig.clock.utc_ns() + 1)
    wanted = counted(rig.folder, rig.sink, rig.site.tags, START, rig.clock.utc_ns() + 1)
    assert counts == {path: number for path, number in wanted.items() if number}
    assert sum(counts.values()) == COMMITS * ROWS
    assert rig.worker.refused == rig.worker.lost == 0
    reader.close()
    rig.close()


def test_rejecting_and_slow_in_mid_replay_the_counts_are_equal_at_the_end(
    tmp_path: Path, influx: Database
) -> None:
    influx.influxql('CREATE DATABASE "plant"')
    with Proxy(influx.url, [503, "slow", 429, "reset", 413, 401] * 3) as proxy:
        rig = Rig(tmp_path / "history", make_sink(proxy.url, batch=500, parallel=3, timeout_ns=300_000_000))
        for _ in range(COMMITS // 3):
            rig.commit_many(ROWS)
        rig.clock.advance(2 * COMMITS * ROWS * rig.step_ns)
        deliver(rig)
        assert not proxy.troubles
        assert count(influx) == COMMITS // 3 * ROWS
        assert rig.worker.refused == rig.worker.lost == 0
        rig.close()


def test_what_a_sink_holds_is_read_back_as_it_was_stored(tmp_path: Path, influx: Database) -> None:
    rig = Rig(tmp_path / "history", make_sink(influx.url, quality="exceptions"))
    ids = rig.ids
    rows = np.zeros(25_000, SAMPLE)
    rows["t"] = START + np.arange(len(rows)) * 1_000_000_007
    rows["tag"], rows["bits"] = ids[LEVEL], np.random.default_rng(1).normal(size=len(rows)).view(np.uint64)
    rows["status"][::7] = 0x4000_0000
    rows["status"][::11], rows["bits"][::11] = 0x8000_0000, 0
    rows["tag"][24_000:], rows["bits"][24_000:] = ids["tank1/P-101/RUN"], np.arange(1000) % 2
    rows["status"][24_000:] = 0
    rig.store.append(Batch(rows))
    rig.note("ready")
    deliver(rig)
    tags, reader = rig.site.by_path(), SinkReader(rig.sink)
    for path, wanted in ((LEVEL, rows[:24_000]), ("tank1/P-101/RUN", rows[24_000:])):
        found = reader.raw(tags[path], 0, 2**62)
        assert not found.more
        for name, column in (("t", found.t), ("bits", found.bits), ("status", found.status)):
            assert (column == wanted[name]).all(), name
    assert reader.raw(tags[LEVEL], 0, 2**62, 15_000).more
    assert reader.raw(tags["tank1/note"], 0, 2**62).values == ["ready"]
    means = reader.aggregate(
        tags["tank1/P-101/RUN"], "count", int(rows["t"][24_000]), int(rows["t"][-1]), 100 * 10**9
    )
    assert sum(value or 0 for _, value in means) == 999
    with pytest.raises(RefusedError, match="database not found"):
        SinkReader(dataclasses.replace(rig.sink, bucket="absent")).raw(tags[LEVEL], 0, 1)
    reader.close()
    rig.close()


def test_events_arrive_in_influxdb_whatever_they_hold(tmp_path: Path, influx: Database) -> None:
    rig = Rig(tmp_path / "history", make_sink(influx.url))
    said = 'a "quoted"\ntext, with = and \\ and ñ'
    rig.store.append(Batch(events=[{"kind": "alarm", "t": START, "path": LEVEL, "message": said}] * 3))
    deliver(rig)
    rows = influx.influxql('SELECT "n", "message", "path" FROM "events_small"')
    assert [row[1:] for row in rows] == [[n, said, LEVEL] for n in (1, 2, 3)]
    assert rig.worker.refused == 0
    rig.close()


def test_victoriametrics_through_an_outage(tmp_path: Path, victoria: Database) -> None:
    sink = make_sink(victoria.url, type="victoriametrics", api="v2")
    rig = Rig(tmp_path / "history", sink, step_ns=10**9)
    for _ in range(COMMITS):
        rig.commit(ROWS // 10)
    rig.worker.turn()
    rig.worker.turn()
    victoria.stop(signal.SIGINT)
    rig.run()
    assert rig.worker.problem
    victoria.start()
    deliver(rig)
    wanted = {START // 10**6 + n * 1000: float(n) for n in range(COMMITS * ROWS // 10)}
    assert victoria.exported("small_v") == wanted
    assert set(victoria.exported("small_q").values()) == {0}
    rig.close()


def test_victoriametrics_killed_in_mid_replay_has_every_row_at_the_end(
    tmp_path: Path, victoria: Database
) -> None:
    sink = make_sink(victoria.url, type="victoriametrics", api="v2", history_ns=0, batch=200)
    rig = Rig(tmp_path / "history", sink, step_ns=10**9)
    rig.clock.advance(COMMITS * ROWS * 10**8)
    for _ in range(COMMITS):
        rig.commit(ROWS // 10)
    rig.fold()
    while rig.worker.sent < 9000:  # more than a portion
        rig.worker.turn()
    victoria.stop(signal.SIGKILL)
    rig.run()
    assert rig.worker.problem
    victoria.start()
    deliver(rig)
    wanted = {START // 10**6 + n * 1000: float(n) for n in range(COMMITS * ROWS // 10)}
    assert victoria.exported("small_v") == wanted
    rig.close()
