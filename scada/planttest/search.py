"""The search for a sequence that breaks an invariant: moves of the plant and requests of people, the shortest found.

Hypothesis makes sequences and shortens the one that breaks the invariant: first fewer moves, then earlier ones and
plainer values. The program is cut down to what the invariant depends on (`cone`). What is found is a fact; that
nothing is found is no proof.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import hypothesis
from hypothesis import HealthCheck, Phase, configuration
from hypothesis import strategies as st

from scada import access
from scada.planttest.candidates import values_of
from scada.planttest.cone import relevant
from scada.planttest.judge import Changes, Condition
from scada.planttest.rig import Rig
from scada.planttest.world import World
from scada.requests.machine import FINAL
from scada.scan import Program, build
from tags.model import DEVICE, Site, Tag
from tags.quality import BAD_SENSOR_FAILURE
from tags.site.plant_tests_compiled import Ask, Invariant, Point, Series, Vary
from tags.types import FLOATS, STRING, Value

MOVE, FAIL, MEND, WRITE = "move", "fail", "mend", "write"
LOSE, FIND, RESTART = "lose", "find", "restart"
_PLANT_TO_PEOPLE: Final = 2
_WAITS_S: Final = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_LONGEST_WAIT: Final = 4  # of them, at least, make up the length of a sequence


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that happens.

    Attributes:
        kind: `MOVE` a value of the plant, `FAIL` or `MEND` a measurement, `WRITE` by somebody, `LOSE` or `FIND` a
            connection, `RESTART` control.
        path: The tag, or the device.
        value: It goes to, or is asked for.
        rate: Units per second; 0: at once.
    """

    kind: str
    path: str
    value: Value | None = None
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Happened:
    """A move at its time.

    Attributes:
        time_ns: Since the first scan, ns.
        move: What happened.
        outcome: Of a request.
        over_ns: How long a value is on its way, ns.
    """

    time_ns: int
    move: Move
    outcome: str = ""
    over_ns: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Attributes:
        invariant: That was searched.
        seed: Of the search.
        tried: Sequences until the first that broke it; all, if none did.
        moves: The shortest sequence that breaks it; () also when it is broken without any.
        broken_ns: When, since the first scan, ns; -1: nothing was found.
        values: What its tags were then.
        changes: Their last changes, oldest first.
        time_ns: That was simulated in all sequences, ns.
    """

    invariant: Invariant
    seed: int
    tried: int
    moves: tuple[Happened, ...] = ()
    broken_ns: int = -1
    values: str = ""
    changes: tuple[str, ...] = ()
    time_ns: int = 0

    @property
    def passed(self) -> bool:
        """Nothing was found."""
        return self.broken_ns < 0


def search(
    site: Site,
    invariant: Invariant,
    *,
    seed: int = 1,
    examples: int | None = None,
    scratch: Path | None = None,
) -> Found:
    """Searches a sequence that breaks an invariant.

    Args:
        site: Compiled.
        invariant: As compiled.
        seed: The same seed tries the same sequences.
        examples: How many; None: as many as the invariant says.
        scratch: Where Hypothesis may write.
    """
    if scratch is not None:
        configuration.set_hypothesis_home_dir(str(scratch))
    assert invariant.check.expression is not None
    paths = invariant.check.expression.paths
    named = [one.path for one in (*(invariant.vary or ()), *(invariant.requests or ()))]
    if invariant.plant.simulated:
        small, needed = site, frozenset(tag.path for tag in site.tags)
    else:
        small, needed = relevant(site, (*paths, *named), invariant.plant.follow)
    known = small.by_path()
    plant = replace(
        invariant.plant,
        given=tuple(one for one in invariant.plant.given if one.path in known),
        follow=tuple(one for one in invariant.plant.follow if one.path in known),
    )
    trial = Trial(build(small), replace(invariant, plant=plant))
    moves = _moves(small, needed, invariant, trial.rig())
    period = site.scan_ns
    longest_ns = invariant.length_ns / _LONGEST_WAIT
    waits = [round(s * 1e9) // period * period for s in _WAITS_S if s * 1e9 <= longest_ns]
    sequences = st.lists(st.tuples(st.sampled_from(waits), moves), max_size=invariant.moves)
    settings = hypothesis.settings(
        max_examples=invariant.examples if examples is None else examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    dice = random.Random(seed)  # noqa: S311 - a search, not a secret
    try:
        best = hypothesis.find(sequences, trial.breaks, settings=settings, random=dice)
    except hypothesis.errors.NoSuchExample:
        return Found(invariant, seed, trial.tried, time_ns=trial.time_ns)
    return trial.told(best, seed)


Moves = Sequence[tuple[int, Move]]


def _moves(site: Site, needed: Iterable[str], invariant: Invariant, rig: Rig) -> st.SearchStrategy[Move]:
    """What may happen next."""
    tags = site.by_path()
    followed = {one.path for one in invariant.plant.follow}
    texts = [invariant.check.subject]
    plant = invariant.vary
    if plant is None:
        plant = tuple(
            Vary(path) for path in sorted(needed) if _is_input(tags.get(path)) and path not in followed
        )
    people = invariant.requests
    if people is None:
        people = tuple(Vary(path) for path in sorted(needed) if _may_write(tags.get(path), invariant.role))
    choices: list[st.SearchStrategy[Move]] = []
    asked: list[st.SearchStrategy[Move]] = []
    for vary in plant:
        values = values_of(site, vary, rig.world.truth.get(vary.path), texts)
        choices.append(st.sampled_from([Move(MOVE, vary.path, value, vary.rate) for value in values]))
        if vary.bad:
            choices.append(st.sampled_from([Move(FAIL, vary.path), Move(MEND, vary.path)]))
    lost = ([Move(LOSE, device), Move(FIND, device)] for device in invariant.devices)
    choices += [st.sampled_from(moves) for moves in lost]
    if invariant.restart:
        choices.append(st.just(Move(RESTART, "")))
    for vary in people:
        held = rig.truth(vary.path)
        values = values_of(site, vary, held, texts)
        asked.append(st.sampled_from([Move(WRITE, vary.path, value) for value in values]))
    if not choices or not asked:
        return st.one_of(choices or asked)
    in_plant, by_people = st.one_of(choices), st.one_of(asked)
    # There is more that people may write than what moves in a plant, and most of it is refused.
    return st.integers(0, _PLANT_TO_PEOPLE).flatmap(
        lambda n: by_people if n == _PLANT_TO_PEOPLE else in_plant
    )


def _is_input(tag: Tag | None) -> bool:
    return tag is not None and tag.kind == DEVICE and tag.command is None and tag.type != STRING


def _may_write(tag: Tag | None, role: str) -> bool:
    return (
        tag is not None and tag.writable and tag.type != STRING and access.refusal(role, "write", tag) is None
    )


class Trial:
    """Runs sequences against an invariant.

    Args:
        program: What runs.
        invariant: As compiled.

    Attributes:
        tried: Sequences until the first that broke it.
        time_ns: Simulated so far, ns.
    """

    def __init__(self, program: Program, invariant: Invariant) -> None:
        self.program, self.invariant = program, invariant
        self.tried = 0
        self.time_ns = 0
        self._broke = False

    def rig(self) -> Rig:
        """A fresh plant."""
        return Rig(self.program, self.invariant.plant)

    def breaks(self, moves: Moves) -> bool:
        """True when a sequence breaks the invariant."""
        if not self._broke:
            self.tried += 1
        run = _Run(self.rig(), self.invariant, moves)
        run.run()
        self.time_ns += run.rig.time_ns
        self._broke |= run.broken_ns >= 0
        return run.broken_ns >= 0

    def told(self, moves: Moves, seed: int) -> Found:
        """The sequence again, with what happened in it."""
        run = _Run(self.rig(), self.invariant, moves, watch=True)
        run.run()
        return Found(
            self.invariant,
            seed,
            self.tried,
            moves=tuple(run.happened),
            broken_ns=run.broken_ns,
            values=run.values,
            changes=tuple(run.changes),
            time_ns=self.time_ns,
        )


class _Run:
    """One sequence at work."""

    def __init__(self, rig: Rig, invariant: Invariant, moves: Moves, *, watch: bool = False) -> None:
        self.rig, self._invariant = rig, invariant
        assert invariant.check.expression is not None
        self._condition = Condition(invariant.check.expression, rig, truth=True)
        self._log = Changes(rig, self._condition.paths) if watch else None
        self._moves: list[tuple[int, Move]] = []
        time_ns = invariant.settle_ns
        for wait_ns, move in moves:
            time_ns += wait_ns
            self._moves.append((time_ns, move))
        self.happened: list[Happened] = []
        self._asked: dict[str, int] = {}
        self.broken_ns = -1
        self.values = ""
        self.changes: list[str] = []

    def run(self) -> None:
        """To the end of the sequence, or until the invariant is broken."""
        rig, invariant, condition = self.rig, self._invariant, self._condition
        end_ns = invariant.settle_ns + invariant.length_ns
        period = rig.program.site.scan_ns
        false_ns = -1
        while rig.time_ns < end_ns:
            now_ns = rig.time_ns + period
            while self._moves and self._moves[0][0] <= now_ns:
                self._do(self._moves.pop(0)[1], now_ns)
            events = rig.scan()
            if self._log is not None:
                self._log.note()
                self._outcomes(events)
            if now_ns < invariant.settle_ns:
                continue
            if condition.now() is not False:
                false_ns = -1
                continue
            false_ns = now_ns if false_ns < 0 else false_ns
            if now_ns - false_ns >= invariant.allow_ns:
                self.broken_ns, self.values = now_ns, condition.values()
                self.changes = [] if self._log is None else self._log.of(condition.paths)
                return

    def _do(self, move: Move, now_ns: int) -> None:
        rig, world = self.rig, self.rig.world
        over_ns = 0
        if move.kind == MOVE and move.value is not None:
            over_ns = _go(world, move.path, move.value, move.rate, now_ns)
        elif move.kind == FAIL:
            world.status[move.path] = BAD_SENSOR_FAILURE
        elif move.kind == MEND:
            world.status.pop(move.path, None)
        elif move.kind in (LOSE, FIND):
            world.link(move.path, linked=move.kind == FIND)
        elif move.kind == RESTART:
            rig.restart(manual=False)
        elif move.kind == WRITE:
            id_ = rig.ask(Ask("write", ((move.path, move.value),), role=self._invariant.role))
            self._asked[id_] = len(self.happened)
        self.happened.append(Happened(now_ns, move, over_ns=over_ns))

    def _outcomes(self, events: Sequence[dict[str, Any]]) -> None:
        for event in events:
            n = self._asked.get(str(event.get("id"))) if event["kind"] == "request" else None
            if n is not None and event["status"] in FINAL:
                because = f": {'; '.join(event['reasons'])}" if event["reasons"] else ""
                self.happened[n] = replace(self.happened[n], outcome=f"{event['status']}{because}")


def _go(world: World, path: str, value: Value, rate: float, now_ns: int) -> int:
    """A value of the plant moves to another one; how long it is on its way, ns."""
    held = world.truth[path]
    over_ns = round(abs(float(value) - held) / rate * 1e9) if rate and world.tags[path].type in FLOATS else 0
    if over_ns:
        world.begin([Series(path, (Point(now_ns, None), Point(now_ns + over_ns, value)))], now_ns)
    else:
        world.set(path, value)
    return over_ns
