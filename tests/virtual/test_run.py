"""A simulation as people start it: nights, what is printed, exit codes, the demo plant."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest
from typer.testing import CliRunner

from scada.cli.app import app
from scada.field.sleep import Sleeper
from scada.virtual.judge import Judge
from scada.virtual.nights import changes, parts
from scada.virtual.run import Plan, simulate
from tags.site import read_site
from tests.virtual.proof import proof_site

DEMO = Path(__file__).parents[2] / "config" / "demo"
HOUR_NS = 3600 * 10**9


def test_both_nights_of_a_clock_change_are_in_it() -> None:
    spring, autumn = changes("Europe/Madrid", 2026)
    assert (spring, autumn) == (
        dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC),
        dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC),
    )
    assert changes("UTC") == []
    found = parts("Europe/Madrid", 6)
    assert [share for _, _, share in found] == [2, 2, 2]
    zone = ZoneInfo("Europe/Madrid")
    for _, utc_ns, _ in found[:2]:
        ends = [
            dt.datetime.fromtimestamp(at / 1e9, zone).utcoffset() for at in (utc_ns, utc_ns + 2 * HOUR_NS - 1)
        ]
        assert ends[0] != ends[1]
    assert [share for _, _, share in parts("UTC", 6)] == [6]


def test_it_says_what_came_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proof_site(tmp_path / "site", devices=1, outputs=2)
    path = tmp_path / "site" / "site.yaml"
    path.write_text(path.read_text().replace("Europe/Madrid", "UTC"))
    ask = [
        "simulate",
        str(tmp_path / "site"),
        "--seed",
        "4",
        "--hours",
        "0.01",
        "--faults",
        "10 s",
        "--requests",
        "2",
    ]
    found = CliRunner().invoke(app, ask)
    assert found.exit_code == 0, found.output
    assert "No rule was broken. Seed 4" in found.output
    monkeypatch.setattr(Judge, "check_signals", lambda self: self.breach("planted"))
    found = CliRunner().invoke(app, [*ask, "--json"])
    assert found.exit_code == 1
    (part,) = orjson.loads(found.stdout)["parts"]
    assert "planted" in part["breaches"][0]
    found = CliRunner().invoke(app, ask)
    assert found.exit_code == 1
    assert "Seed 4. The same again" in found.output


def test_nothing_of_a_simulation_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scada.datadir._TMPFS", tmp_path)
    site = proof_site(tmp_path / "site", devices=1, outputs=1)
    simulate(site, Plan(seed=1, hours=0.0005, utc_ns=HOUR_NS))
    assert not list(tmp_path.glob("closedloop-*/*"))


@pytest.mark.slow
@pytest.mark.parametrize("part", [0, 1], ids=["spring", "autumn"])
def test_the_demo_plant_lives_through_a_night_of_a_clock_change(part: int) -> None:
    site = read_site(DEMO)
    _, utc_ns, hours = parts(site.timezone, 0.3)[part]
    report = simulate(site, Plan(seed=part, hours=hours, utc_ns=utc_ns, fault_s=20.0, requests_s=0.3))
    assert report.breaches == [], report.story
    assert report.counts["confirmed"] > 10


@pytest.mark.slow
def test_field_sleeps_while_control_takes_notice_of_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    until, seen, most = Sleeper.until, {"now": 0, "turns": 0}, 1000

    async def counted(self: Sleeper, deadline_ns: int) -> None:
        now = self._clock.monotonic_ns()
        seen["turns"] = seen["turns"] + 1 if now == seen["now"] else 0
        seen["now"] = now
        if seen["turns"] > most:
            seen["spins"] = 1
            raise RuntimeError("field turns round and round without sleeping")
        await until(self, deadline_ns)

    monkeypatch.setattr(Sleeper, "until", counted)
    plan = Plan(seed=3, hours=0.1, utc_ns=1_781_524_800_000_000_000, requests_s=1.0, fault_s=6.0)
    report = simulate(read_site(DEMO), plan)
    assert "spins" not in seen
    assert report.breaches == []
    assert report.faults["power"]
