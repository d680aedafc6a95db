"""What a sink gets of the history: a new one all, a wiped one all again, one that was lagging what it missed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from historian.edits import Who
from historian.edits.write import Wish
from historian.settled import Columns
from historian.sinks import backfill, portion, spool
from historian.sinks.answers import RefusedError, Reply
from historian.sinks.backfill import Backfill
from historian.sinks.losses import Losses
from historian.sinks.state import State
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from scada.clock import SimulatedClock
from tests.sinks.faults import FaultServer
from tests.sinks.rig import LEVEL, START, Rig, make_sink, values
from tests.support.site import make_site

HOUR = 3600 * 10**9


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def rig(tmp_path: Path, server: FaultServer) -> Iterator[Rig]:
    rig = Rig(tmp_path, make_sink(server.url, batch=10, history_ns=0), step_ns=10**9)
    yield rig
    rig.close()


def states(rig: Rig) -> list[str]:
    return [state for state, _ in rig.said]


def test_a_new_sink_gets_all_history_and_then_what_is_new(rig: Rig, server: FaultServer) -> None:
    rig.worker.close()
    for _ in range(4):
        rig.commit(50)
        rig.fold()
    rig.note("a text")
    desk = State.writer(rig.folder)
    desk.cancel("db")  # the rig's first worker was before the history
    desk.close()
    rig.clock.advance(HOUR)
    rig.worker = rig.make()
    rig.run()
    rig.commit(5)
    rig.run()
    assert sorted(set(values(server.lines))) == list(range(205))
    assert any('s="a text"' in line for line in server.lines)
    assert rig.worker.jobs == 0
    assert states(rig) == ["filled"]


def test_how_far_back_is_up_to_the_site(rig: Rig, tmp_path: Path, server: FaultServer) -> None:
    rig.commit(3000)
    rig.run(1000)
    rig.fold()
    rig.clock.advance(3000 * 10**9)
    for name, history_ns, retention_ns, wanted in (
        ("none", -1, 0, []),
        ("some", 100 * 10**9, 0, list(range(2900, 3000))),
        ("kept", 0, 50 * 10**9, list(range(2950, 3000))),
    ):
        server.wipe()
        sink = make_sink(server.url, name=name, history_ns=history_ns, retention_ns=retention_ns)
        rig.sink = sink
        worker = rig.make()
        while not worker.turn():
            pass
        worker.close()
        assert values(server.lines) == wanted


def test_a_job_goes_on_where_a_killed_service_was(rig: Rig, server: FaultServer) -> None:
    rig.commit(2000)
    rig.fold()
    rig.run(5000)
    desk = State.writer(rig.folder)
    desk.ask("db", START, START + 2000 * 10**9, "asked", ["tank1/*"])
    server.lines.clear()
    seen: list[float] = []
    for _ in range(200):
        for _ in range(150):
            rig.worker.turn()
        seen += values(server.lines)
        server.lines.clear()
        rig.restart()
        if not desk.jobs():
            break
    assert sorted(set(seen)) == list(range(2000))
    assert not desk.jobs()
    desk.close()


def test_a_database_that_is_wiped_gets_everything_again(rig: Rig, server: FaultServer) -> None:
    rig.commit(100)
    rig.fold()
    rig.run(1000)
    assert server.marks
    server.wipe()
    rig.clock.advance(60 * 10**9)
    server.answers = [503]  # it was away while somebody wiped it
    rig.commit(20)
    rig.run()
    rig.run(1000)
    assert sorted(set(values(server.lines))) == list(range(120))
    assert "wiped" in states(rig)
    assert len(server.marks) == 1
    server.answers = [503]  # away again, nothing wiped: nothing is sent twice
    rig.clock.advance(60 * 10**9)
    before = len(server.lines)
    rig.commit(5)
    rig.run()
    rig.run(1000)
    assert len(server.lines) == before + 5
    assert states(rig).count("wiped") == 1


def test_a_copy_that_is_older_gets_what_came_after_it(rig: Rig, server: FaultServer) -> None:
    for _ in range(3):
        rig.commit(1800)
        rig.clock.advance(1800 * 10**9)
        rig.fold()
        rig.run(5000)
    assert len(server.marks) == 3
    server.lines, server.marks = server.lines[:3600], server.marks[:2]
    rig.clock.advance(60 * 10**9)
    rig.restart()
    rig.commit(1)
    rig.run(5000)
    again = server.lines[3600:]
    assert {*values(again)} == set(range(3000, 5401))  # ten minutes before the newest mark on


def test_a_database_that_does_not_tell_is_believed(rig: Rig, server: FaultServer) -> None:
    rig.commit(10)
    rig.run(1000)
    server.wipe()
    server.query_status = 403
    rig.clock.advance(60 * 10**9)
    rig.restart()
    rig.commit(1)
    rig.run(1000)
    assert values(server.lines) == [10]
    assert "wiped" not in states(rig)


def test_what_the_spool_gave_up_comes_from_the_history(rig: Rig, server: FaultServer) -> None:
    rig.commit(5)
    rig.run(1000)
    rig.clock.advance(HOUR)
    server.answers = [503]
    for _ in range(300):
        rig.commit(2)
    rig.run()
    rig.fold()
    rig.restart()
    full = spool.Spool(rig.folder, ["db"], 1e-12)
    assert full.trim(rig.store.key()) == 200
    full.close()
    rig.run(5000)
    assert sorted(set(values(server.lines))) == list(range(605))
    assert rig.worker.lost == 200
    assert "gap" in states(rig)


def test_live_samples_do_not_wait_for_a_long_history(rig: Rig, server: FaultServer) -> None:
    rig.commit(5000)
    rig.fold()
    rig.clock.advance(5000 * 10**9)
    desk = State.writer(rig.folder)
    rig.run(10_000)
    desk.ask("db", START, START + 5000 * 10**9, "asked")
    server.lines.clear()
    rig.worker.turn()
    rig.commit(1)
    while 5000.0 not in values(server.lines):
        rig.worker.turn()
    assert values(server.lines).index(5000.0) <= 2 * (
        320 + 900
    )  # portions: windows of the first length until there are 320
    assert rig.worker.jobs == 1
    for _ in range(5):
        rig.worker.turn()
    rig.clock.advance(HOUR)
    assert rig.worker.lag_s() == 0, "old history is no lag"
    assert rig.worker.jobs == 1
    desk.close()


@settings(max_examples=25)
@given(
    stamps=st.lists(st.tuples(st.integers(0, 10**13), st.sampled_from([1, 2])), max_size=60),
    start=st.integers(0, 10**13),
    length=st.integers(0, 10**13),
    most=st.integers(1, 50),
)
def test_a_job_gives_every_sample_of_its_time_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    stamps: list[tuple[int, int]],
    start: int,
    length: int,
    most: int,
) -> None:
    folder = tmp_path_factory.mktemp("history")
    store = SqliteStore.writer(folder)
    ids = {tag.path: tag.id for tag in make_site().tags}
    store.declare(make_site().tags)
    rows = np.zeros(len(stamps), SAMPLE)
    rows["t"] = [t for t, _ in stamps]
    rows["tag"] = [(ids[LEVEL], ids["tank1/LV-101/POS"])[which - 1] for _, which in stamps]
    store.append(Batch(rows))
    store.close()
    desk = State.writer(folder)
    desk.ask("db", start, start + length, "asked")
    reads = Backfill(folder, lambda _: True, most)
    found = []
    for _ in range(2000):
        jobs = desk.jobs()
        if not jobs:
            break
        part = reads.next(jobs[0])
        found += part.samples.tolist()
        desk.commit("db", None, (), part.job)
    assert not desk.jobs()
    wanted = [row for row in rows.tolist() if start <= row[2] < start + length]
    assert sorted(found) == sorted(wanted)
    for tag in ids.values():
        times = [row[2] for row in found if row[0] == tag]
        assert times == sorted(times)
    reads.close()
    desk.close()
    assert backfill.SHORTEST > 0


def test_equal_times_at_the_end_of_a_page_are_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portion, "PAGE", 3)
    store = SqliteStore.writer(tmp_path)
    store.declare(make_site().tags)
    tag = next(entry.id for path, entry in store.ids().items() if path == LEVEL)
    rows = np.zeros(40, SAMPLE)
    rows["tag"], rows["t"], rows["bits"] = tag, np.arange(40) // 2, np.arange(40)
    store.append(Batch(rows))
    found = {bits for page in portion.pages(store, tag, 0, 100) for bits in page.bits.tolist()}
    assert found == set(range(40))
    store.close()


class Silent:
    """A database that takes lines and does not say what it has, for a while."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.answers = False

    def post(self, body: bytes) -> Reply:
        self.taken.append(body)
        return Reply(204)

    def query(self, text: str, *, changes: bool = False) -> list[dict[str, Any]]:
        if not self.answers:
            raise RefusedError(0, "no answer")
        return []

    def ask(self, path: str, fields: dict[str, str], *, changes: bool = False) -> bytes:
        raise NotImplementedError


def test_no_new_mark_hides_that_the_old_one_is_gone(tmp_path: Path) -> None:
    SqliteStore.writer(tmp_path).close()
    state, target = State.writer(tmp_path), Silent()
    said: list[str] = []
    clock = SimulatedClock(utc_ns=START)
    state.set_mark("db", START - HOUR)
    sink = make_sink("", history_ns=0)
    losses = Losses(sink, "works", state, clock, target, lambda kind, _: said.append(kind))
    losses.look(START)
    losses.mark()
    assert target.taken == []
    target.answers = True
    losses.look(START)
    losses.mark()
    assert said == ["wiped"]
    assert [(job.start, job.end) for job in state.jobs("db")] == [(0, START + 1)]
    assert len(target.taken) == 1
    state.close()


def test_what_was_read_ahead_of_an_edit_is_read_again(rig: Rig, server: FaultServer) -> None:
    rig.commit(3000)
    rig.run(10_000)
    desk = State.writer(rig.folder)
    desk.ask("db", START, START + 3000 * 10**9, "asked")
    for _ in range(20):
        rig.worker.turn()
    bits = np.full(3000, -1.0).view(np.uint64)
    t = START + np.arange(3000) * 10**9
    changed = Columns(t[500:], bits[500:], np.zeros(2500, np.uint32))
    rig.store.edit(Wish("update", rig.ids[LEVEL], changed), Who("anna", "test", START, "why"))
    rig.run(10_000)
    last = {line.split()[-1]: line for line in server.lines}
    assert values(list(last.values())) == [*range(500), *[-1.0] * 2500]
    desk.close()
