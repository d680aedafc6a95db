from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from scada.arming import arm, armed, armed_by, disarm, last_word
from scada.clock import SimulatedClock
from scada.datadir import DataDir, DataDirError, default_data
from tags.model import Device


def test_everything_in_the_data_directory_is_its_owners_alone(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.create()
    try:
        for folder in (data.root, data.run, data.state, data.history, data.recordings, data.certs, data.logs):
            assert folder.is_dir()
            assert folder.stat().st_mode & 0o077 == 0
        assert data.run.resolve().is_relative_to("/dev/shm")
        data.create()  # again, nothing breaks
        assert data.image("field") == data.run / "field.image"
    finally:
        shutil.rmtree(data.run.resolve())


def test_a_data_directory_may_be_reached_through_a_link(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.create()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    try:
        (data.run / "site.json").write_text("of the running plant")
        DataDir(tmp_path / "link").create()
        assert (data.run / "site.json").exists()
    finally:
        shutil.rmtree(data.run.resolve())


def test_two_data_directories_share_nothing(tmp_path: Path) -> None:
    one, two = DataDir(tmp_path / "one"), DataDir(tmp_path / "two")
    one.create()
    two.create()
    try:
        assert one.run.resolve() != two.run.resolve()
    finally:
        shutil.rmtree(one.run.resolve())
        shutil.rmtree(two.run.resolve())


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match="--data"):
        DataDir(tmp_path / "file" / "data").create()


def test_the_default_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCADA_DATA", "/srv/plant")
    assert default_data("demo") == Path("/srv/plant")
    monkeypatch.delenv("SCADA_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_data("demo") == Path("/data/closedloop/demo")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_data("demo") == Path.home() / ".local/share/closedloop/demo"


PLC1, PLC2 = (
    Device(
        name=name, driver="modbus", service="field", config={"endpoint": "tcp://127.0.0.1:502", "unit_id": 1}
    )
    for name in ("PLC1", "PLC2")
)


def test_arming_is_kept_and_undone(tmp_path: Path) -> None:
    path = tmp_path / "armed.json"
    assert armed(path, [PLC1, PLC2]) == {}
    arm(path, PLC1, reason="commissioned", user="anna", utc_ns=5)
    arm(path, PLC2, reason="commissioned", user="anna", utc_ns=6)
    disarm(path, "PLC1", reason="valve replaced", user="otto", utc_ns=7)
    disarm(path, "PLC1", reason="valve replaced", user="otto", utc_ns=8)
    assert last_word(path, "PLC1") == ("otto", "valve replaced")
    assert last_word(path, "PLC9") == ("", "")
    assert armed_by(path, "otto") == []
    table = armed(path, [PLC1, PLC2])
    assert list(table) == ["PLC2"]
    assert (table["PLC2"]["user"], table["PLC2"]["utc_ns"]) == ("anna", 6)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("edit", [{"endpoint": "tcp://127.0.0.2:502"}, {"unit_id": 2}])
def test_another_device_behind_an_armed_name_is_not_armed(tmp_path: Path, edit: dict[str, object]) -> None:
    path = tmp_path / "armed.json"
    arm(path, PLC1, reason="commissioned", user="anna", utc_ns=5)
    assert armed(path, [PLC1])
    assert not armed(path, [dataclasses.replace(PLC1, config={**PLC1.config, **edit})])
    faster = dataclasses.replace(PLC1, config={**PLC1.config, "timeout": "200 ms"})
    assert armed(path, [faster])  # the same device, asked in another way


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"PLC1": 1}', b'{"PLC1": {}}'])
def test_a_damaged_arming_file_arms_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "armed.json"
    path.write_bytes(content)
    assert armed(path, [PLC1]) == {}


def test_a_simulated_clock_moves_only_when_told() -> None:
    clock = SimulatedClock(monotonic_ns=10, utc_ns=100)
    clock.advance(5)
    clock.step_utc(-50)
    assert (clock.monotonic_ns(), clock.utc_ns()) == (15, 55)
    with pytest.raises(ValueError, match="-1"):
        clock.advance(-1)
