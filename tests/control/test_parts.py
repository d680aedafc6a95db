"""What the control service is made of: gathering, keeping, publishing, civil time."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scada.control import gather as gathering
from scada.control import keeper
from scada.control.civil import Civil
from scada.control.gather import SILENT_NS, Gather
from scada.control.mailbox import READS_PER_SCAN, Mailbox
from scada.control.publish import Output
from scada.scan import Writes
from tags.image import ImageReader
from tags.publish import Publisher
from tags.quality import BAD_NO_COMMUNICATION, BAD_OUT_OF_RANGE, GOOD
from tags.types import from_bits, to_bits
from tests.control.rig import Rig
from tests.scan.plant import ARMED, DAMPER, LEVEL, PANEL, PROGRAM, REMOTE, SECOND, SP, VALVE, Plant

SCAN = SECOND // 10


@pytest.fixture(params=[1, 1000], ids=["as columns", "one by one"], autouse=True)
def _batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "BATCH_MIN", request.param)


def test_only_what_changed_is_gathered(rig: Rig) -> None:
    gather = Gather(rig.data.run, PROGRAM)
    slot = PROGRAM.index[LEVEL]
    gather.poll(SCAN, on_time=True)
    rig.field.put_value(rig.field.rows[LEVEL], 2.5, GOOD, 712_345, 7, (5 << 56) | 3)
    rig.field.put_value(rig.field.rows[VALVE], 31.0, GOOD, 812_345, 8, (5 << 56) | 3)
    inputs = gather.poll(SCAN, on_time=True)
    assert sorted(inputs.every()) == sorted(
        [(slot, 2.5, GOOD, 700_000), (PROGRAM.index[VALVE], 31.0, GOOD, 800_000)]
    )
    assert inputs.acted == [(PROGRAM.output_of[VALVE], (5 << 56) | 3)]
    assert list(gather.poll(SCAN, on_time=True).every()) == []
    gather.close()


def test_each_kind_of_value_comes_as_python_has_it(rig: Rig) -> None:
    gather = Gather(rig.data.run, PROGRAM)
    gather.poll(SCAN, on_time=True)
    given = {LEVEL: -0.0, REMOTE: True, ARMED: True, PANEL: 21.5, DAMPER: False}
    for path, value in given.items():
        rig.field.put_value(rig.field.rows[path], value, GOOD, 900_000, 7)
    found = {slot: (value, type(value)) for slot, value, _, _ in gather.poll(SCAN, on_time=True).every()}
    assert repr(found) == repr(
        {slot: (given[path], type(given[path])) for slot in found for path in [PROGRAM.slots[slot].path]}
    )
    assert len(found) == len(given)
    gather.close()


def test_a_number_that_is_none_is_bad(rig: Rig) -> None:
    gather = Gather(rig.data.run, PROGRAM)
    row = rig.field.rows[LEVEL]
    bits = struct.unpack("<Q", struct.pack("<d", float("nan")))[0]
    rig.field.put(slice(row, row + 1), bits, GOOD, 712_345, 7)
    assert list(gather.poll(SCAN, on_time=True).every()) == [
        (PROGRAM.index[LEVEL], 0.0, BAD_OUT_OF_RANGE, 700_000)
    ]
    gather.close()


def test_a_service_that_falls_silent_is_not_believed(rig: Rig) -> None:
    gather = Gather(rig.data.run, PROGRAM)
    for _ in range(SILENT_NS // SCAN + 5):
        assert list(gather.poll(SCAN, on_time=True).every()) == [], (
            "it has not begun to beat: nothing to miss"
        )
    rig.field.put_value(rig.field.rows[LEVEL], 2.5, GOOD, 712_345, 7)
    rig.field.beat()
    assert len(list(gather.poll(SCAN, on_time=True).every())) == 1
    for _ in range(SILENT_NS // SCAN):
        assert list(gather.poll(SCAN, on_time=True).every()) == []
    gather.poll(SCAN, on_time=False)  # we were late ourselves: the count starts again
    for _ in range(SILENT_NS // SCAN):
        assert list(gather.poll(SCAN, on_time=True).every()) == []
    gone = gather.poll(SCAN, on_time=True)
    assert (PROGRAM.index[LEVEL], 2.5, BAD_NO_COMMUNICATION, 700_000) in list(gone.every())
    assert gather.changed == [("field", True)]
    rig.field.beat()
    assert (PROGRAM.index[LEVEL], 2.5, GOOD, 700_000) in list(gather.poll(SCAN, on_time=True).every())
    assert gather.changed == [("field", False)]
    gather.close()


def test_a_service_that_freezes_inside_a_publish_is_not_believed_either(rig: Rig) -> None:
    gather = Gather(rig.data.run, PROGRAM)
    row = rig.field.rows[LEVEL]
    rig.field.put_value(row, 2.5, GOOD, 712_345, 7)
    gather.poll(SCAN, on_time=True)
    rig.field.beat()
    gather.poll(SCAN, on_time=True)
    rig.field.image._words[16] += 1
    seen = [gather.poll(SCAN, on_time=True) for _ in range(SILENT_NS // SCAN + 2)]
    assert (PROGRAM.index[LEVEL], 2.5, BAD_NO_COMMUNICATION, 700_000) in [
        one for each in seen for one in each.every()
    ]
    gather.close()


_OF_TYPE = {
    "bool": st.booleans(), "float64": st.one_of(st.floats(allow_nan=False), st.integers(-(2**60), 2**60)),
    "int32": st.integers(-(2**31), 2**31 - 1), "int64": st.integers(-(2**63), 2**63 - 1),
}  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_value_bits_of_many_are_those_of_one(rig: Rig, data: st.DataObject) -> None:
    own = PROGRAM.slots[: PROGRAM.own]
    rows = data.draw(
        st.lists(st.sampled_from([n for n, tag in enumerate(own) if tag.type in _OF_TYPE]), unique=True)
    )
    values: list[Any] = [None] * len(own)
    for row in rows:
        values[row] = data.draw(_OF_TYPE[own[row].type])
    output = Output(PROGRAM, rig.field)
    found = output._bits(values, np.array(rows, np.intp)).tolist()
    assert found == [to_bits(own[row].type, values[row]) for row in rows]


def test_commands_are_published_with_drive_flag_and_version(rig: Rig) -> None:
    control = Publisher(rig.data.run, "control", rig.site.of_writer("control"), 9)
    output = Output(PROGRAM, control)
    plant = Plant()
    plant.scan(scans=4)
    plant.ask("write", (PANEL, 22.0))
    versions = output.write(plant.state, plant.last, 77)
    reader = ImageReader(rig.data.image("control"))
    reader.snapshot()
    row = PROGRAM.index[f"{PANEL}/command"]
    assert from_bits("float64", int(reader.value[row])) == 22.0
    drive, deadline_ns = int(reader.aux[row]) & 1, int(reader.aux[row]) >> 1
    assert (drive, deadline_ns) == (1, 77 + 5 * SECOND), "until the request ends"
    assert versions == [(PROGRAM.output_of[PANEL], int(reader.version[row]))]
    # The same value asked again is a new version: the field acts on versions.
    assert output.write(plant.state, Writes([], [], [row]), 78)[0][1] > versions[0][1]
    output.tell([{"kind": "request", "t": 1, "items": [["x" * 2000, 1]] * 64, "reasons": ["y" * 5000] * 64}])
    for part in (control, reader):
        part.close()
    rig.ring.read()


def test_a_text_is_published(rig: Rig) -> None:
    control = Publisher(rig.data.run, "control", rig.site.of_writer("control"), 9)
    plant = Plant()
    plant.scan(scans=2)
    plant.ask("write", ("tank1/note", "Grüße"))
    Output(PROGRAM, control).write(plant.state, plant.last, 77)
    assert control.image.text(PROGRAM.index["tank1/note"]) == "Grüße"
    control.close()


def test_the_state_is_kept_at_once_when_people_change_something(rig: Rig) -> None:
    kept = keeper.Keeper(rig.data, 2)
    plant = Plant()
    plant.scan(scans=4)

    def keep(now_ns: int) -> dict[str, Any]:
        kept.keep(PROGRAM, plant.state, plant.last, plant.utc_ns, now_ns)
        return keeper.load(rig.data) or {}

    first = keep(0)
    assert first["utc_ns"] == plant.utc_ns
    plant.scan()
    assert keep(SECOND // 2)["utc_ns"] == first["utc_ns"]
    plant.ask("write", (SP, 3.3))
    assert keep(SECOND // 2 + 1)["values"][SP][0] == 3.3
    plant.ask("force", (LEVEL, 1.0), for_ns=SECOND)
    keep(SECOND // 2 + 2)
    assert plant.state.forces.for_field()
    kept.close()


def test_the_state_waits_for_a_quiet_scan_but_not_long_and_never_when_urgent(rig: Rig) -> None:
    kept = keeper.Keeper(rig.data, 2)
    plant = Plant()
    plant.scan(scans=4)

    def keep(now_ns: int, *, busy: bool) -> int:
        plant.ask("write", ("tank1/note", str(now_ns)))  # something to keep
        plant.scan()
        kept.keep(PROGRAM, plant.state, plant.last, plant.utc_ns, now_ns, busy=busy)
        return int((keeper.load(rig.data) or {})["utc_ns"])

    first = keep(0, busy=False)
    assert keep(SECOND + 1, busy=True) == first
    assert keep(SECOND + SECOND // 4, busy=False) == plant.utc_ns, "a quiet one"
    second = plant.utc_ns
    assert keep(2 * SECOND + SECOND // 2, busy=True) == second
    assert keep(3 * SECOND, busy=True) == plant.utc_ns, "there was none"
    plant.ask("write", (SP, 3.3))
    kept.keep(PROGRAM, plant.state, plant.last, plant.utc_ns, 3 * SECOND + 1, busy=True)
    assert (keeper.load(rig.data) or {})["values"][SP][0] == 3.3
    kept.close()


def test_the_slots_count_before_the_file_and_damage_is_left_out(rig: Rig) -> None:
    assert keeper.load(rig.data) is None
    rig.data.control_state_saved.write_bytes(b"\xff\x00 half a file")
    assert keeper.load(rig.data) is None
    rig.data.control_state_saved.write_bytes(orjson.dumps({"version": 1, "utc_ns": 10**18}))
    assert (keeper.load(rig.data) or {})["utc_ns"] == 10**18
    kept = keeper.Keeper(rig.data, 2)
    plant = Plant()
    plant.scan()
    kept.keep(PROGRAM, plant.state, plant.last, 5, 0)
    kept.close()
    assert (keeper.load(rig.data) or {})["utc_ns"] == 5, "the clock was set back meanwhile"


def test_a_flood_is_read_in_bounded_parts(rig: Rig) -> None:
    mailbox = Mailbox(rig.data.control_socket)
    sent = 0
    body = {"kind": "write", "items": [["tank1/draining", True]], "role": "operator"}
    rig.doorbell.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            rig.raw(orjson.dumps({**body, "id": f"n{sent}"}))
            sent += 1
    got = 0
    while requests := mailbox.receive()[0]:
        assert len(requests) <= READS_PER_SCAN
        got += len(requests)
    assert got == sent
    mailbox.close()


def test_a_second_mailbox_replaces_a_dead_one_and_bells_do_not_block(rig: Rig) -> None:
    Mailbox(rig.data.control_socket)._socket.close()
    mailbox = Mailbox(rig.data.control_socket)
    rig.send("write", ("tank1/draining", True))
    requests, _ = mailbox.receive()
    for _ in range(2000):
        mailbox.ring([{"kind": "request", "id": requests[0].id, "status": "sent"}])
    rig.doorbell.settimeout(1)
    assert rig.doorbell.recv(10) == b""
    mailbox.close()
    with pytest.raises(FileNotFoundError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.connect(str(rig.data.control_socket.resolve()))


@pytest.mark.parametrize(
    ("utc_s", "weekday", "second", "date"),
    [
        (1_795_388_399, 6, 86_399, "2026-11-22"),
        (1_774_745_999, 6, 2 * 3600 - 1, "2026-03-29"),
        (1_774_746_000, 6, 3 * 3600, "2026-03-29"),
    ],
)
def test_civil_time_with_daylight_saving(utc_s: int, weekday: int, second: int, date: str) -> None:
    tick = Civil("Europe/Madrid", SCAN).tick(3, 2, utc_s * SECOND + 5)
    assert (tick.weekday, tick.second_of_day, tick.date, tick.dt_ns) == (weekday, second, date, 2 * SCAN)
