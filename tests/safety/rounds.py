"""The disasters: each does one at a random moment, judges what the PLC was told, and leaves the plant running well.

Each returns the time to safe in s: until the PLC holds what is declared, or until its watchdog knows that nobody is there;
0.0 where nothing may move at all.
"""

from __future__ import annotations

import itertools
import math
import random
import signal
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from scada.field.heartbeat import KEEPS
from tests.safety.rig import (
    CONTROLLER,
    LOSS_DELAY_S,
    NOTICE_S,
    PUMPS,
    VALVE,
    WATCHDOG_S,
    Rig,
    Rounds,
    pause_until,
)
from tests.safety.witness import Look
from tests.support.wait import wait_for

STEP_MOST: Final = (
    3.0  # %: more between two looks is a bump; the level controller moves less than 1 % a second
)
LATE_S: Final = 1.0  # for a busy machine


def moment(chance: random.Random) -> None:
    """Some moment within the scan, the poll and the pulse."""
    pause_until(time.monotonic() + chance.uniform(0.0, 1.5))


def no_bump(looks: Sequence[Look], lost_at: float = math.inf) -> None:
    """No output of the PLC jumped; but the valve closes when control has been lost for its delay."""
    for before, after in itertools.pairwise(looks):
        loss = after.valve == 0.0 and after.at >= lost_at + LOSS_DELAY_S
        jumped = f"the valve jumped: {before} {after}, control lost at {lost_at}"
        assert loss or abs(after.valve - before.valve) < STEP_MOST, jumped
        for old, new in zip(before.speeds, after.speeds, strict=True):
            assert abs(new - old) < 10.0, f"a speed jumped: {before} {after}"
    no_contradiction(looks)


def no_contradiction(looks: Sequence[Look]) -> None:
    """Start and stop are never asked at once."""
    for look in looks:
        assert not any(start and stop for start, stop in zip(look.start, look.stop, strict=True)), look


def motors_left_alone(looks: Sequence[Look]) -> None:
    """Those that ran run on, and nobody pressed anything."""
    for look in looks:
        assert look.run == looks[0].run, f"a motor changed: {looks[0]} {look}"
        assert not any((*look.start, *look.stop)), look


def calm(rig: Rig) -> None:
    """The plant as it is expected before a round: controller in Auto at work, a pump running in Manual and steady."""
    rig.wait_good()
    for pump, wanted in zip(PUMPS, (True, False), strict=True):
        rig.write(f"{pump}/MODE", "Manual")
        if rig.value(f"{pump}/RUN") != wanted:
            wait_for(partial(_asked, rig, pump, wanted), 40, f"{pump} takes a command")
            rig.until(f"{pump}/RUN", wanted, 20)
    rig.write(f"{CONTROLLER}/MODE", "Auto")
    rig.write(f"{CONTROLLER}/SP", 2.5)
    rig.witness.until(lambda look: not any((*look.start, *look.stop)) and not look.alone, 20, "all is calm")
    wait_for(lambda: _steady(rig), 30, "the valve stands off its end")
    speed = rig.value("tank1/SC-101/SP")
    rig.witness.until(
        lambda look: all(abs(s - speed) < 0.5 for s in look.speeds), 40, "the ramp of the speed is at its end"
    )


def _asked(rig: Rig, pump: str, wanted: bool) -> bool:
    return rig.client.write(f"{pump}/CMD", wanted).status == "confirmed"


def _steady(rig: Rig) -> bool:
    """Also hours of disasters leave the tank neither full nor empty: the set point follows the level."""
    level = rig.value("tank1/LT-101")
    if not 5.0 < rig.witness.now.valve < 95.0:
        rig.write(f"{CONTROLLER}/MODE", "Manual")
        rig.write(VALVE, 40.0)
        rig.write(f"{CONTROLLER}/SP", min(4.0, max(1.0, level)))
        rig.write(f"{CONTROLLER}/MODE", "Auto")
        return False
    return True


# --- the rounds ---


def control_is_killed(rig: Rig, chance: random.Random) -> float:
    """It is started again, ever later when it goes on dying, and goes on from what the PLC holds."""
    before, began = rig.pid("control"), time.monotonic()
    moment(chance)
    at = rig.send("control", signal.SIGKILL)
    rig.restarted("control", before)
    rig.wait_good()
    rig.until("system/PLC1/armed", True)
    looks = rig.witness.since(began)
    no_bump(looks, at)
    motors_left_alone(looks)
    return 0.0


def control_freezes(rig: Rig, chance: random.Random) -> float:
    """The supervisor replaces it; until then each output does what it declares, and comes back from there."""
    before, began = rig.pid("control"), time.monotonic()
    moment(chance)
    at = rig.send("control", signal.SIGSTOP)
    rig.restarted("control", before)
    rig.wait_good()
    looks = rig.witness.since(began)
    no_bump(looks, at)
    motors_left_alone(looks)
    return 0.0


def control_stays_dead(rig: Rig, chance: random.Random) -> float:
    """Nobody starts it again: after its delay the valve closes, as its `on_loss` says; speeds are held."""
    before = rig.pid("control")
    rig.send("supervisor", signal.SIGSTOP)
    try:
        moment(chance)
        held = rig.witness.now
        at = rig.send("control", chance.choice((signal.SIGKILL, signal.SIGSTOP)))
        most = LOSS_DELAY_S + NOTICE_S + LATE_S
        closed = rig.witness.until(lambda look: look.valve == 0.0, most, "the valve is told to close")
        looks = rig.witness.since(at)
        early = [look for look in looks if look.at < at + LOSS_DELAY_S]
        no_bump(early)
        motors_left_alone(looks)
        alone = rig.witness.until(
            lambda look: look.alone, WATCHDOG_S + NOTICE_S + 2 * LATE_S, "the heartbeat stops"
        )
        assert {look.speeds for look in looks} == {held.speeds}, "speeds are held"
        assert alone - at < WATCHDOG_S + NOTICE_S + 2 * LATE_S
    finally:
        rig.send("supervisor", signal.SIGCONT)
    rig.restarted("control", before)
    rig.wait_good()
    no_bump(rig.witness.since(closed))
    return closed - at


def field_stays_dead(rig: Rig, chance: random.Random) -> float:
    """Nothing is written any more; the PLC notices by its watchdog, and holds."""
    before = rig.pid("field")
    rig.send("supervisor", signal.SIGSTOP)
    try:
        moment(chance)
        held = rig.witness.now
        at = rig.send("field", chance.choice((signal.SIGKILL, signal.SIGSTOP)))
        pause_until(at + 0.1)
        held = rig.witness.now
        alone = rig.witness.until(
            lambda look: look.alone, WATCHDOG_S + 2.0 + LATE_S, "the watchdog of the PLC"
        )
        looks = rig.witness.since(at + 0.1)
        assert {(look.valve, look.speeds, look.beat) for look in looks} == {
            (held.valve, held.speeds, held.beat)
        }
        motors_left_alone(looks)
    finally:
        rig.send("supervisor", signal.SIGCONT)
    rig.restarted("field", before)
    rig.wait_good()
    rig.witness.until(lambda look: not look.alone, 10, "the heartbeat is back")
    no_bump(rig.witness.since(at))
    motors_left_alone(rig.witness.since(at))
    return alone - at


def field_is_killed(rig: Rig, chance: random.Random) -> float:
    """It is back before the PLC misses it; it reads before it writes, and repeats nothing."""
    before, began = rig.pid("field"), time.monotonic()
    moment(chance)
    rig.send("field", signal.SIGKILL)
    rig.restarted("field", before)
    rig.wait_good()
    looks = rig.witness.since(began)
    no_bump(looks)
    motors_left_alone(looks)
    assert not any(look.alone for look in looks)
    return 0.0


def all_is_killed(rig: Rig, chance: random.Random) -> float:
    """The machine loses its power: the PLC is alone and holds; the restart is bumpless and in the last mode."""
    began = time.monotonic()
    moment(chance)
    at = rig.kill()
    pause_until(at + 0.1)
    held = rig.witness.now
    alone = rig.witness.until(lambda look: look.alone, WATCHDOG_S + 2.0 + LATE_S, "the watchdog of the PLC")
    assert {(look.valve, look.speeds) for look in rig.witness.since(at + 0.1)} == {(held.valve, held.speeds)}
    rig.start()
    rig.until("system/PLC1/armed", True)
    rig.witness.until(lambda look: not look.alone, 10, "the heartbeat is back")
    looks = rig.witness.since(began)
    no_bump(looks)
    motors_left_alone(looks)
    assert rig.value(f"{CONTROLLER}/MODE") == 2
    return alone - at


def a_planned_stop(rig: Rig, chance: random.Random) -> float:
    """Nothing moves: neither at the stop, nor while it is down, nor at the start."""
    began = time.monotonic()
    moment(chance)
    rig.stop()
    at = time.monotonic()
    held = rig.witness.now
    alone = rig.witness.until(lambda look: look.alone, WATCHDOG_S + 2.0 + LATE_S, "the watchdog of the PLC")
    assert {(look.valve, look.speeds) for look in rig.witness.since(at + 0.1)} == {(held.valve, held.speeds)}
    rig.start()
    rig.witness.until(lambda look: not look.alone, 10, "the heartbeat is back")
    looks = rig.witness.since(began)
    no_bump(looks)
    motors_left_alone(looks)
    return alone - at


def the_plc_loses_its_power(rig: Rig, chance: random.Random) -> float:
    """Its motors stay off although both are wanted in Auto, and what it has forgotten is not written back."""
    for pump in PUMPS:
        rig.write(f"{pump}/MODE", "Auto")
    rig.witness.until(
        lambda look: look.beat > KEEPS + 1, 10, "field has seen that the PLC keeps the heartbeat"
    )
    moment(chance)
    at = time.monotonic()
    rig.inject(do="power_cycle")
    for pump in PUMPS:
        rig.until(f"{pump}/MODE", 1, 15)
    rig.wait_good()
    looks = rig.witness.since(at)
    back = [look for look in looks if look.at > at + 1.0]  # it is off the network for 2 s
    assert back[0].valve < STEP_MOST, f"something of before was written: {back[0]}"
    assert not [look for look in back if any((*look.start, *look.run))], "a motor started by itself"
    no_bump(back)
    return 0.0


def the_level_is_lost(rig: Rig, chance: random.Random) -> float:
    """A broken wire: the interlock of the level counts as true and closes the valve; its controller goes to Manual."""
    moment(chance)
    at = time.monotonic()
    rig.inject(set={"LT-101.broken": True})
    closed = rig.witness.until(lambda look: look.valve == 0.0, 2.0, "the interlock closes the valve")
    rig.until(f"{CONTROLLER}/MODE", 1, 5)
    rig.inject(set={"LT-101.broken": False})
    rig.wait_good()
    rig.until("tank1/OVERFILL/ACTIVE", False)
    assert not [look for look in rig.witness.since(closed) if look.valve], (
        "it stays where it is until a person acts"
    )
    return closed - at


ROUNDS: Final[Rounds] = (
    ("control is killed", control_is_killed),
    ("control freezes", control_freezes),
    ("control stays dead", control_stays_dead),
    ("field is killed", field_is_killed),
    ("field stays dead", field_stays_dead),
    ("all is killed", all_is_killed),
    ("a planned stop", a_planned_stop),
    ("the PLC loses its power", the_plc_loses_its_power),
    ("the level is lost", the_level_is_lost),
)
