"""The control process: requests in, commands out, killed and restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from scada.scan import Replay, build, record
from tags.events import EventReader
from tags.slots import SlotReader
from tests.control.rig import CLOCK, Rig
from tests.scan.plant import DAMPER, LEVEL, MODE, PUMP, SP, SPEED, VALVE
from tests.support.wait import wait_for


def test_a_request_travels_to_the_device_and_its_outcome_back(rig: Rig) -> None:
    rig.start()
    rig.until(lambda: rig.driven(VALVE), "the valve to be driven")
    assert rig.writes == []
    id_ = rig.send("write", (VALVE, 44.0))
    event = rig.outcome(id_)
    assert (event["status"], event["old"], event["service"]) == ("confirmed", [30.0], "control")
    assert rig.registers[VALVE] == 44.0
    assert rig.doorbell.recv(10) == b""
    assert rig.outcome(rig.send("write", (PUMP, True)))["status"] == "confirmed"
    assert rig.writes == [(VALVE, 44.0), (PUMP, True)]

    rig.raw(b"not json")
    rig.raw(orjson.dumps({"id": "bad", "kind": "reboot"}))
    assert "kind is one of" in rig.outcome("bad")["reasons"][0]
    refused = rig.outcome(rig.send("write", (LEVEL, 1.0), role="viewer"))
    assert refused["status"] == "rejected"

    rig.until(lambda: rig.value("system/control/scans") > 20)
    assert rig.value("system/control/memory") > 1.0
    assert rig.value("system/control/execution_max") > 0.0
    assert rig.kill(signal.SIGTERM) == 0
    slots = SlotReader(rig.data.control_state)
    state = orjson.loads(slots.read() or b"")
    slots.close()
    assert state["commands"][VALVE] == 44.0


def test_killed_in_mid_stroke_nothing_jumps(rig: Rig) -> None:
    rig.start()
    rig.until(lambda: rig.driven(VALVE))
    rig.send("write", (DAMPER, True))
    rig.outcome(rig.send("write", (MODE, "Auto"), (SP, 3.6)))
    rig.send("write", (SPEED, 75.0))
    before = rig.until(lambda: rig.value(f"{SPEED}/command") > 53.0 and rig.value(f"{VALVE}/command"))
    rig.kill()
    rig.writes.clear()
    registers = dict(rig.registers)
    rig.start()
    rig.until(lambda: rig.driven(VALVE) and rig.driven(SPEED), "outputs to be driven again")
    first = {
        path: next((value for to, value in rig.writes if to == path), registers[path]) for path in registers
    }
    for path in (VALVE, SPEED):
        assert abs(first[path] - registers[path]) <= 1.5, path
    assert first[DAMPER] is True
    assert abs(rig.value(f"{VALVE}/command") - before) < 5.0
    assert (rig.value(MODE), rig.value(SP)) == (2, 3.6)


def test_after_many_crashes_everything_is_manual(rig: Rig) -> None:
    rig.start()
    rig.until(lambda: rig.driven(VALVE))
    rig.outcome(rig.send("write", (MODE, "Auto"), (SP, 3.0)))
    rig.kill()
    rig.start("--manual")
    rig.until(lambda: rig.driven(VALVE))
    assert (rig.value(MODE), rig.value(SP)) == (1, 3.0)


def test_without_slots_the_file_of_the_historian_counts(rig: Rig) -> None:
    kept = {"version": 1, "utc_ns": 5, "values": {"tank1/draining": [True, 5]}, "commands": {VALVE: 12.0}}
    rig.data.control_state_saved.write_bytes(orjson.dumps(kept))
    rig.start()
    rig.until(lambda: rig.driven(VALVE))
    assert rig.value("tank1/draining") is True
    assert rig.value(f"{VALVE}/command") == 30.0, "what is read back counts, not what was"


def test_a_frozen_control_skips_what_it_missed(rig: Rig) -> None:
    rig.start()
    assert rig.process is not None
    rig.until(lambda: rig.value("system/control/scans") > 2)
    rig.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: "T" in _state(rig.process.pid) if rig.process else False)
    beats = rig.image.heartbeat
    end = rig.value("system/control/scans")
    frozen_ns = CLOCK.monotonic_ns()
    wait_for(lambda: CLOCK.monotonic_ns() - frozen_ns > 1_000_000_000)
    assert rig.image.heartbeat == beats
    rig.process.send_signal(signal.SIGCONT)
    rig.until(lambda: rig.value("system/control/overruns") >= 8, "the missed periods to be counted")
    assert rig.value("system/control/scans") - end < 40


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


def test_the_recording_of_the_process_is_repeated_here(fast_rig: Rig) -> None:
    rig = fast_rig
    rig.start()
    rig.until(lambda: rig.driven(VALVE))
    rig.outcome(rig.send("write", (MODE, "Auto"), (SP, 3.0)))
    rig.send("force", (SP, 2.0), for_ns=10**9)
    rig.until(lambda: rig.value("system/control/scans") > 210)
    rig.kill(signal.SIGTERM)
    ring = EventReader(rig.data.record_ring)
    records = []
    while found := ring.read()[0]:
        records += [payload for _, payload in found]
    ring.close()
    program = build(rig.site)
    replay = Replay(program)
    scans = sum(1 for _ in replay.run(record.items(records, program)))
    assert scans > 200
    assert replay.checked >= 2
    assert (replay.skipped, replay.gaps) == (0, 0)
    assert sum(map(len, records)) / scans < 3000


def test_both_lives_of_a_control_that_was_killed_are_repeated(fast_rig: Rig) -> None:
    rig = fast_rig
    for how in (signal.SIGKILL, signal.SIGTERM):
        rig.start()
        rig.until(lambda: rig.driven(VALVE))
        began = rig.value("system/control/scans")
        rig.until(lambda: rig.value("system/control/scans") >= began + 20)  # noqa: B023 - at once
        rig.kill(how)
    ring = EventReader(rig.data.record_ring)
    records = []
    while found := ring.read()[0]:
        records += [payload for _, payload in found]
    ring.close()
    program = build(rig.site)
    replay = Replay(program)
    lives = [done.scan.tick.number for done in replay.run(record.items(records, program))]
    assert lives.count(1) == 2
    assert len(lives) > 40
    assert (replay.skipped, replay.gaps) == (0, 0)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_requests_of_other_users_are_thrown_away(rig: Rig) -> None:
    rig.start()
    code = (
        "import os,socket,sys; s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(sys.argv[1]);"
        "os.setresuid(65534,65534,65534); s.send(sys.argv[2].encode())"
    )
    body = {"id": "x", "kind": "write", "items": [["tank1/draining", True]], "role": "admin"}
    path = os.path.realpath(rig.data.control_socket)
    subprocess.run([sys.executable, "-c", code, path, orjson.dumps(body).decode()], check=True)
    rig.outcome(rig.send("write", ("tank1/note", "after it")))
    assert rig.value("tank1/draining") is False
    assert not [event for event in rig.events if event.get("id") == "x"]
