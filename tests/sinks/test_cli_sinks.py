"""`scada history sinks|forward|compare`, `history TAG --sink` and the repair of the quarantine, without a running plant."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from historian import audit
from historian.sinks.state import State
from scada.cli.app import app
from scada.datadir import DataDir
from tags import model
from tests.sinks.databases import Database
from tests.sinks.faults import FaultServer
from tests.sinks.rig import LEVEL, START, Rig, make_sink, values


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def rig(tmp_path: Path, server: FaultServer) -> Iterator[Rig]:
    rig = make_plant(tmp_path, server.url)
    yield rig
    rig.close()


def make_plant(root: Path, url: str) -> Rig:
    data = DataDir(root)
    data.history.mkdir(parents=True)
    rig = Rig(data.history, make_sink(url), step_ns=10**9)
    data.site_json.parent.mkdir(parents=True, exist_ok=True)
    data.site_json.write_bytes(model.dump(rig.site))
    return rig


def scada(rig: Rig, *words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["history", *words, "--data", str(rig.folder.parent)])
    return done.exit_code, done.stdout, done.stderr


def test_history_is_sent_again_when_somebody_asks(rig: Rig, server: FaultServer) -> None:
    rig.commit(1000)
    rig.run()
    server.lines.clear()
    first = "2025-06-15T15:10:00Z"  # 600 s after START
    code, said, _ = scada(
        rig, "forward", "db", "--from", first, "--to", "2025-06-15T15:11:39Z", "--tags", "tank1/*"
    )
    assert code == 0
    assert "will get the history up to 2025-06-15T15:11:39.000Z again" in said
    state = json.loads(scada(rig, "sinks", "--json")[1])[0]
    assert state["sink"] == "db"
    assert state["delivered"] == "2025-06-15T15:23:19.000Z"
    assert [job["reason"] for job in state["jobs"]] == ["asked for"]
    assert "asked for" in scada(rig, "sinks")[1]
    rig.run()
    assert values(server.lines) == list(range(200, 300))
    assert json.loads(scada(rig, "sinks", "--json")[1])[0]["jobs"] == []


def test_a_site_without_sinks_says_so(rig: Rig) -> None:
    site = model.load(DataDir(rig.folder.parent).site_json.read_bytes())
    DataDir(rig.folder.parent).site_json.write_bytes(model.dump(dataclasses.replace(site, sinks=())))
    assert scada(rig, "sinks") == (0, "The site names no sinks: nothing is forwarded.\n", "")
    assert json.loads(scada(rig, "sinks", "--json")[1]) == []


def test_what_was_asked_for_can_be_taken_back(rig: Rig, server: FaultServer) -> None:
    rig.commit(10)
    rig.run()
    server.lines.clear()
    assert scada(rig, "forward", "db")[0] == 0
    assert scada(rig, "forward", "db", "--cancel")[1] == "db: 1 stretch of history will not be sent.\n"
    rig.run()
    assert server.lines == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("forward", "other"), "There is no sink other. The site has: db."),
        (("forward", "db", "--tags", "nothing/*"), "No tag fits nothing/*."),
        (("forward", "db", "--from", "now"), "--to now is not after --from now."),
        (("forward", "db", "--from", "soon"), "'soon' is no time."),
        ((LEVEL, "--sink", "db", "--aggregate", "min"), "--aggregate is of our own history."),
        ((LEVEL, "--sink", "nowhere"), "There is no sink nowhere."),
    ],
)
def test_mistakes_are_said(rig: Rig, words: tuple[str, ...], said: str) -> None:
    code, _, errors = scada(rig, *words)
    assert code == 2
    assert said in errors


def test_a_database_that_is_away_is_said(rig: Rig, server: FaultServer) -> None:
    server.query_status = 503
    code, _, errors = scada(rig, "compare", "db")
    assert code == 1
    assert "db: HTTP 503" in errors


def test_lines_in_quarantine_are_repaired_and_sent_again(rig: Rig, server: FaultServer) -> None:
    desk = State.writer(rig.folder)
    desk.commit("db", None, [(f"small v={n}i {n}", "type conflict", START) for n in (1, 2)])
    words = ("quarantine", "repair", "db", "--find", r" v=(\d+)i", "--replace")
    code, said, errors = scada(rig, *words, r" v=\1")
    assert (code, said.splitlines()[1:]) == (0, ["1\tsmall v=1 1", "2\tsmall v=2 2"])
    assert "2 rows. To do it, add --apply." in errors
    assert not desk.quarantine(retry=True)
    assert "no line of the line protocol" in scada(rig, *words, " v")[2]
    assert (
        "No row of db has what fits"
        in scada(rig, "quarantine", "repair", "db", "--find", "x", "--replace", "")[2]
    )
    done = scada(rig, *words, r" v=\1", "--row", "2", "--apply")[1]
    assert done == "db: 1 row repaired; they will be sent again.\n"
    (entry,) = audit.entries(rig.folder, 0, 2**62, ["quarantine"])
    assert entry.event["message"] == "sink db: 1 row in quarantine repaired"
    assert (entry.event["find"], entry.event["replace"]) == (r" v=(\d+)i", r" v=\1")
    rig.run()
    assert server.lines == ["small v=2 2"]
    assert [row.line for row in desk.quarantine()] == ["small v=1i 1"]
    desk.close()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_sink_is_compared_with_history_and_read(tmp_path: Path) -> None:
    influx = Database(tmp_path / "influx", "influxd")
    try:
        rig = make_plant(tmp_path / "plant", influx.url)
        rig.commit(500)
        rig.note("begun")
        rig.run()  # 404: makes the database
        rig.run()
        span = ("--start", "2025-06-15T15:00:00Z", "--end", "2025-06-15T16:00:00Z")
        code, said, _ = scada(rig, "compare", "db", *span)
        assert code == 0
        assert re.search(r"^(\d+) of \1 tags are the same; 501 samples in history", said, re.MULTILINE)
        rows = json.loads(scada(rig, LEVEL, "--sink", "db", *span, "--json")[1])
        assert [row["value"] for row in rows] == list(range(500))
        assert {row["quality"] for row in rows} == {"Good"}
        influx.influxql(f'DELETE FROM "small" WHERE "id" = \'{LEVEL}\' AND time < {START + 10 * 10**9}')
        code, said, errors = scada(rig, "compare", "db", *span)
        assert code == 1
        assert f"{LEVEL}\t500\t490" in said
        assert "scada history forward db --from '2025-06-15T15:00:00Z'" in errors
        scada(rig, "forward", "db", "--from", span[1], "--to", span[3])
        rig.run()
        assert scada(rig, "compare", "db", *span)[0] == 0
        rig.close()
    finally:
        influx.stop()
