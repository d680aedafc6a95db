"""The life of a service, in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from scada.clock import SimulatedClock
from scada.datadir import DataDir
from scada.service import Log, Service
from scada.service.service import private_memory
from tags import model, quality
from tags.events import EventReader
from tags.image import ImageReader
from tags.publish import create_files
from tags.types import from_bits
from tests.supervisor.conftest import ROOT
from tests.support.site import make_site


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    data = DataDir(tmp_path / "data")
    data.run.mkdir(parents=True)
    site = make_site()
    data.site_json.write_bytes(model.dump(site))
    create_files(data.run, site, 1)
    return data


def values(data: DataDir, service: Service) -> dict[str, object]:
    image = ImageReader(data.image(service.name))
    assert image.snapshot()
    return {
        tag.path: from_bits(tag.type, int(image.value[tag.row]))
        if image.status[tag.row] == quality.GOOD
        else None
        for tag in service.publisher.tags
    }


def test_health_is_published_with_the_memory(data: DataDir) -> None:
    with Service(data, "control", 2, SimulatedClock()) as service:
        service.health(scans=7, realtime=True)
        seen = values(data, service)
        assert (seen["system/control/scans"], seen["system/control/realtime"]) == (7, True)
        assert seen["system/control/shadow"] is None
        memory = seen["system/control/memory"]
        assert isinstance(memory, float)
        assert 1 < memory < 10_000
        with pytest.raises(KeyError, match="nonsense"):
            service.health(nonsense=1)


def test_health_of_others_is_published_by_path(data: DataDir) -> None:
    with Service(data, "field", 2, SimulatedClock()) as service:
        service.publish({"system/PLC1/connected": True, "system/PLC1/errors": 3}, quality.GOOD)
        seen = values(data, service)
        assert (seen["system/PLC1/connected"], seen["system/PLC1/errors"]) == (True, 3)


def test_events_carry_time_and_service(data: DataDir) -> None:
    clock = SimulatedClock(utc_ns=77)
    with Service(data, "hmi", 2, clock) as service:
        service.event("login", user="anna")
    event = orjson.loads(EventReader(data.events("hmi")).read()[0][-1][1])
    assert event == {"kind": "login", "t": 77, "service": "hmi", "user": "anna"}


def test_beats_and_readiness_show_in_the_image(data: DataDir) -> None:
    with Service(data, "hmi", 2, SimulatedClock()) as service:
        image = ImageReader(data.image("hmi"))
        service.beat()
        assert (image.heartbeat, image.ready) == (1, False)
        service.ready()
        assert (image.heartbeat, image.ready) == (2, True)


def test_stop_calls_back_once(data: DataDir) -> None:
    called = []
    with Service(data, "hmi", 2, SimulatedClock()) as service:
        service.on_stop(lambda: called.append(1))
        service.stop()
        service.stop()
        assert service.stopping
    assert called == [1]


def test_an_exception_is_the_service_s_last_word(data: DataDir, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), Service(data, "hmi", 2, SimulatedClock(utc_ns=5)) as service:
        raise RuntimeError("planted")
    assert service.failed
    assert orjson.loads(capfd.readouterr().err) == {
        "t": 5, "level": "critical", "event": "RuntimeError: planted", "service": "hmi", "epoch": 2,
    }  # fmt: skip


def test_log_lines_are_json(capfd: pytest.CaptureFixture[str]) -> None:
    log = Log(SimulatedClock(utc_ns=5), service="x").bind(device="PLC1")
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(log, level)("said", path=Path("/a"), odd={1: 2})
    try:
        dict[str, int]()["k"]
    except KeyError:
        log.exception("failed")
    lines = [orjson.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["level"] for line in lines] == ["debug", "info", "warning", "error", "critical", "error"]
    assert lines[0] == {
        "t": 5, "level": "debug", "event": "said", "service": "x", "device": "PLC1", "path": "/a", "odd": {"1": 2},
    }  # fmt: skip
    assert "KeyError: 'k'" in lines[-1]["traceback"]


def test_a_service_whose_supervisor_is_gone_does_not_start(data: DataDir) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.supervisor.toy",
        "--data",
        str(data.root),
        "--name",
        "hmi",
        "--epoch",
        "2",
    ]
    done = subprocess.run([*command, "--parent", "1"], cwd=ROOT, capture_output=True, timeout=20, check=False)
    assert done.returncode == 1
    assert ImageReader(data.image("hmi")).epoch == 1


def test_wrong_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        Service.start(["--data", "x"])
    assert "--name" in capsys.readouterr().err


def test_memory_is_that_of_this_process() -> None:
    before = private_memory()
    block = os.urandom(30_000_000)
    assert 25 < private_memory() - before < 60
    del block
