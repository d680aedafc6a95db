"""The real InfluxDB and VictoriaMetrics of Debian: outages, replay, poison."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from historian.sinks.state import Cursor, State
from scada.clock import SystemClock
from tests.sinks.databases import Database
from tests.sinks.rig import START, Rig, make_sink
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
    wait_for(lambda: rig.run(5000) and not rig.worker.problem and rig.worker.lag_s() == 0, 60.0, "delivery")


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


def test_a_database_that_is_wiped_is_made_again_and_delivery_goes_on(
    tmp_path: Path, influx: Database
) -> None:
    rig = Rig(tmp_path / "history", make_sink(influx.url))
    rig.commit(1000)
    deliver(rig)
    influx.influxql('DROP DATABASE "plant"')
    rig.commit(500)
    deliver(rig)
    assert count(influx) == 500
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
