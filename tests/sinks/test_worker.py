"""A real history, a real client, and a server with faults."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from historian.sinks import spool, state
from historian.sinks.state import Cursor, State
from historian.store import SAMPLE, Batch
from tags.model import Secret
from tests.sinks.faults import FaultServer
from tests.sinks.rig import START, Rig, make_sink, values


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def rig(tmp_path: Path, server: FaultServer) -> Iterator[Rig]:
    rig = Rig(tmp_path, make_sink(server.url, batch=10))
    yield rig
    rig.close()


def test_what_is_committed_arrives_once_in_order_and_the_cursor_holds(rig: Rig, server: FaultServer) -> None:
    rig.commit(25)
    rig.note("begun")
    assert rig.run() == [0.5]
    assert values(server.lines) == list(range(25))
    assert server.lines[-1].startswith('small,id=tank1/note s="begun"')
    rig.restart()
    rig.commit(5)
    rig.run()
    assert values(server.lines) == list(range(30))
    assert rig.worker.sent == 5
    assert rig.worker.lag_s() == 0


@pytest.mark.parametrize("answer", [401, 403, 404, 429, 500, 503, "reset"])
def test_trouble_of_the_server_keeps_everything_and_backs_off(
    rig: Rig, server: FaultServer, answer: int | str
) -> None:
    server.answers = [answer] * 3
    rig.commit(15)
    waits = [rig.run()[0] for _ in range(3)]
    assert waits == ([7.0] * 3 if answer == 429 else [0.5, 1.0, 2.0])
    rig.clock.advance(3_000_000_000)
    assert rig.worker.lag_s() == pytest.approx(3.0, abs=0.1)
    assert rig.worker.problem
    rig.run()
    assert values(server.lines) == list(range(15))
    assert [said for said, _ in rig.said if said != "create"] == ["failing", "recovered"]
    assert bool(server.queries) == (answer == 404)
    assert rig.worker.refused == 0


def test_a_server_that_hangs_is_a_server_that_is_away(tmp_path: Path, server: FaultServer) -> None:
    rig = Rig(tmp_path, make_sink(server.url, timeout_ns=100_000_000))
    server.answers = ["slow"]
    rig.commit(3)
    assert rig.run() == [0.5]
    assert "Timeout" in rig.worker.problem
    rig.run()
    assert values(server.lines) == [0, 1, 2]
    rig.close()


def test_requests_that_are_too_large_are_halved(rig: Rig, server: FaultServer) -> None:
    server.largest = 3
    rig.commit(40)
    rig.run()
    assert values(server.lines) == list(range(40))
    assert rig.worker.refused == 0


def test_only_poison_goes_into_quarantine_and_can_be_sent_again(rig: Rig, server: FaultServer) -> None:
    server.poison = ["v=7.0", "v=23.0"]
    rig.commit(40)
    rig.run()
    assert values(server.lines) == [n for n in range(40) if n not in (7, 23)]
    assert rig.worker.refused == 2
    desk = State.writer(rig.folder)
    rows = desk.quarantine("db")
    assert [row.line.partition("v=")[2].partition(",")[0] for row in rows] == ["7.0", "23.0"]
    assert "field type conflict" in rows[0].error
    assert desk.retry("db") == 2
    rig.run()
    assert rig.worker.refused == 2  # still poison
    assert not desk.quarantine(retry=True)
    server.poison = ["v=23.0"]
    desk.retry("db", [rows[0].id, rows[1].id])
    rig.run()
    assert values(server.lines)[-1] == 7.0
    assert rig.worker.refused == 1
    assert desk.drop("db") == 1
    desk.close()
    rig.run()
    assert rig.worker.refused == 0


def test_many_rows_are_sent_again_in_few_requests(rig: Rig, server: FaultServer) -> None:
    desk = State.writer(rig.folder)
    desk.commit("db", None, [(f"small v={n}.0 {n}", "no", 1) for n in range(1, 501)])
    desk.retry("db")
    server.poison = ["v=77.0 "]
    server.answers = [503]
    while rig.run() and desk.quarantine(retry=True):
        pass
    assert values(server.lines) == [n for n in range(1, 501) if n != 77]
    assert [row.line for row in desk.quarantine()] == ["small v=77.0 77"]
    assert len(server.requests) < 40
    assert rig.worker.refused == 1
    desk.close()


def test_killed_in_the_middle_it_sends_again_and_loses_nothing(rig: Rig, server: FaultServer) -> None:
    rig.commit(100)
    for _ in range(5):
        rig.worker.turn()
    rig.restart()
    rig.run()
    assert sorted(set(values(server.lines))) == list(range(100))


def test_what_a_lagging_sink_needs_outlives_folding(rig: Rig, server: FaultServer) -> None:
    server.answers = [503] * 4
    for _ in range(3):
        rig.commit(10)
        rig.run()
        rig.fold()
    rig.commit(10)
    rig.run()
    rig.run()
    assert values(server.lines) == list(range(40))
    assert rig.worker.lost == 0
    rig.spool.trim(rig.store.key())
    assert not spool.spooled(rig.folder, rig.store.key(), 0, 2**62, 1000)


def test_what_the_spool_does_not_need_any_more_goes_back_to_the_disk(rig: Rig, server: FaultServer) -> None:
    server.answers = [503]
    rng = np.random.default_rng(1)
    for _ in range(20):
        rows = np.zeros(20_000, SAMPLE)
        rows["tag"], rows["t"] = rig.ids["tank1/LT-101"], START + np.arange(len(rows))
        rows["bits"] = rng.normal(size=len(rows)).view(np.uint64)
        rig.store.append(Batch(rows))
    rig.run()
    rig.fold()
    path = rig.folder / spool.FILE
    checkpoint(path)
    before = path.stat().st_size
    assert before > 2_000_000
    rig.worker.close()
    desk = State.writer(rig.folder)
    desk.commit("db", Cursor(rig.store.key(), 10**6))
    desk.close()
    for _ in range(3):
        rig.spool.trim(rig.store.key())
    checkpoint(path)
    assert path.stat().st_size < before / 20
    rig.worker = rig.make()


def checkpoint(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_what_no_sink_needs_is_not_spooled(rig: Rig) -> None:
    rig.commit(10)
    rig.run()
    rig.fold()
    assert not spool.spooled(rig.folder, rig.store.key(), 0, 2**62, 1000)


def test_a_spool_that_is_full_gives_up_the_oldest_and_says_so(rig: Rig, server: FaultServer) -> None:
    rig.commit(5)
    rig.run()
    server.answers = [503]
    for _ in range(300):
        rig.commit(2)
    rig.run()
    rig.fold()
    rig.restart()
    full = spool.Spool(rig.folder, ["db"], 1e-12)
    assert full.trim(rig.store.key()) == 200
    full.close()
    rig.run()
    assert values(server.lines) == [*range(5), *range(405, 605)]
    assert rig.worker.lost == 200
    assert ("gap", "200 commits of history waited too long and are not in db") in rig.said


def test_a_history_that_was_begun_anew_is_followed_after_what_is_left_of_the_old(
    rig: Rig, server: FaultServer
) -> None:
    from historian.damage import move_aside
    from historian.sqlite import SqliteStore

    rig.commit(10)
    rig.run()
    rig.commit(10)
    rig.fold()
    rig.store.close()
    move_aside(rig.folder, 1)
    rig.store = SqliteStore.writer(rig.folder)
    rig.commit(10)
    rig.spool.trim(rig.store.key())
    rig.run()
    assert values(server.lines) == list(range(30))
    assert rig.worker.lost == 0


def test_damaged_cursors_send_again_what_is_there(rig: Rig, server: FaultServer) -> None:
    rig.commit(10)
    rig.run()
    rig.worker.close()
    (rig.folder / state.FILE).write_bytes(b"not a database" * 1000)
    rig.worker = rig.make()
    rig.run()
    assert values(server.lines) == [*range(10), *range(10)]


def test_secrets_go_into_the_header_and_nowhere_else(
    tmp_path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "token"
    secret.touch(0o600)
    secret.write_text("old\n")
    rig = Rig(tmp_path / "a", make_sink(server.url, api="v2", org="o", token=Secret(file=str(secret))))
    server.answers = [401]
    rig.commit()
    rig.run()
    secret.write_text("sesame\n")
    rig.run()
    assert server.requests[:2] == [
        ("/api/v2/write?org=o&bucket=plant&precision=ns", "Token old"),
        ("/api/v2/write?org=o&bucket=plant&precision=ns", "Token sesame"),
    ]
    rig.close()
    monkeypatch.setenv("SINK_PASSWORD", "sesame")
    login = {"user": "anna", "password": Secret(env="SINK_PASSWORD")}
    for api, wanted in (("v1", "Basic YW5uYTpzZXNhbWU="), ("v2", "Token anna:sesame")):
        rig = Rig(tmp_path / api, make_sink(server.url, api=api, **login))
        rig.commit()
        rig.run()
        path, header = server.requests[-1]
        assert header == wanted
        assert "sesame" not in path
        assert "sesame" not in str(rig.said)
        rig.close()


def test_a_secret_that_is_missing_or_open_to_all_is_said_and_nothing_is_sent(
    tmp_path: Path, server: FaultServer
) -> None:
    secret = tmp_path / "token"
    rig = Rig(tmp_path / "a", make_sink(server.url, token=Secret(file=str(secret))))
    rig.commit()
    rig.run()
    assert "cannot be read" in rig.worker.problem
    secret.write_text("sesame")
    secret.chmod(0o644)
    rig.run()
    assert "can be read by everybody" in rig.worker.problem
    assert server.requests == []
    secret.chmod(0o640)
    rig.run()
    assert values(server.lines) == [0]
    rig.close()
