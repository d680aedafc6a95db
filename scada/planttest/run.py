"""One plant test from its first scan to its last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from scada.planttest import texts
from scada.planttest.judge import Changes, Condition, Judge
from scada.planttest.recorded import RecordedError, RecordedRig
from scada.planttest.rig import Rig, Scene
from scada.planttest.simulated import SimulatedWorld
from scada.scan import Program
from tags.site.plant_tests_compiled import Check, PlantTest, Step
from tags.site.problems import Place

FAILURES_MAX: Final = 10
_OUTCOME_NS: Final = 15_000_000_000  # a request has its outcome by then, if the test does not say


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that was not so.

    Attributes:
        place: Where it is expected.
        time_ns: Since the first scan, ns.
        text: What was expected and what was.
        changes: The last changes of the tags in question, oldest first.
    """

    place: Place
    time_ns: int
    text: str
    changes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.place}: at {texts.time(self.time_ns)} {self.text}"


@dataclass(slots=True)
class Result:
    """What came of a test.

    Attributes:
        name: Of the test.
        place: Where it is written.
        failures: None: it passed.
        time_ns: That was simulated, ns.
        scans: That were made.
    """

    name: str
    place: Place
    failures: list[Failure] = field(default_factory=list)
    time_ns: int = 0
    scans: int = 0

    @property
    def passed(self) -> bool:
        """Everything was as expected."""
        return not self.failures


def run_test(program: Program, test: PlantTest) -> Result:
    """Runs a test.

    Args:
        program: Of the site.
        test: As compiled.
    """
    try:
        scene = Rig(program, test.plant) if test.recording is None else RecordedRig(program, test.recording)
    except RecordedError as error:
        return Result(test.name, test.place, [Failure(test.place, 0, str(error))])
    return _Run(scene, test).run()


class _Pending:
    """A check whose time has come."""

    __slots__ = ("for_ns", "holds_ns", "judge", "until_ns")

    def __init__(self, judge: Judge, until_ns: int, for_ns: int) -> None:
        self.judge, self.until_ns, self.for_ns = judge, until_ns, for_ns
        self.holds_ns = -1  # since when it is so

    def look(self, now_ns: int, events: Sequence[Mapping[str, Any]]) -> str | None:
        """After a scan: None: go on, "": it is over, else what is wrong."""
        if self.judge.look(events):
            if self.holds_ns < 0:
                self.holds_ns = now_ns
            return "" if now_ns - self.holds_ns >= self.for_ns else None
        if self.holds_ns >= 0 and self.judge.check.kind not in ("event", "outcome"):
            stayed = texts.time(now_ns - self.holds_ns)
            return f"{self.judge.expected()} for {texts.time(self.for_ns)}, {self.judge.was()} after {stayed}"
        over = now_ns >= self.until_ns or self.judge.decided
        return f"{self.judge.expected()}, {self.judge.was()}" if over else None


class _Always:
    """What is so in the plant all the time, or never."""

    __slots__ = ("_allow_ns", "_settle_ns", "_since_ns", "check", "condition", "wanted")

    def __init__(self, check: Check, rig: Scene, wanted: bool, test: PlantTest) -> None:
        assert check.expression is not None
        self.check, self.wanted = check, wanted
        self.condition = Condition(check.expression, rig, truth=True)
        self._allow_ns, self._settle_ns = test.allow_ns, test.settle_ns
        self._since_ns = -1

    def broken(self, now_ns: int) -> bool:
        """After a scan: it is not so for longer than is allowed."""
        so = self.condition.now()
        if so is None or so is self.wanted or now_ns < self._settle_ns:
            self._since_ns = -1
            return False
        self._since_ns = now_ns if self._since_ns < 0 else self._since_ns
        return now_ns - self._since_ns >= self._allow_ns


class _Run:
    """A test at work."""

    def __init__(self, rig: Rig | RecordedRig, test: PlantTest) -> None:
        self._rig, self._test = rig, test
        self._result = Result(test.name, test.place)
        self._pending: list[_Pending] = []
        self._steps = list(test.steps)
        self._always = [_Always(check, rig, True, test) for check in test.always]
        self._always += [_Always(check, rig, False, test) for check in test.never]
        paths = [path for step in test.steps for check in step.checks for path in Judge(check, rig).paths]
        paths += [path for one in self._always for path in one.condition.paths]
        self._changes = Changes(rig, paths)

    def run(self) -> Result:
        """To the end of the test, or until too much is wrong."""
        rig, result = self._rig, self._result
        if isinstance(rig, RecordedRig):
            self._recorded(rig)
        else:
            self._simulated(rig)
        result.time_ns, result.scans = max(0, rig.time_ns), rig.scans
        return result

    def _simulated(self, rig: Rig) -> None:
        end_ns = max((step.time_ns for step in self._steps), default=0)
        end_ns = max(end_ns, self._test.until_ns)
        while (rig.time_ns < end_ns or self._pending) and not self._enough:
            now_ns = rig.time_ns + rig.program.site.scan_ns
            for step in self._due(now_ns):
                try:
                    asked = _do(rig, step, now_ns)
                except ValueError as error:  # a knob that the simulator does not have
                    self._fail(step.place, now_ns, str(error), ())
                else:
                    self._expect(step, asked, now_ns)
            events = rig.scan()
            self._changes.note()
            self._judge(events)

    def _recorded(self, rig: RecordedRig) -> None:
        """The whole recording: what happens stands in it."""
        while not self._enough:
            try:
                events = rig.scan()
            except RecordedError as error:
                self._fail(self._test.place, rig.time_ns, str(error), ())
                return
            if events is None:
                self._over(rig)
                return
            for step in self._due(rig.time_ns):
                self._expect(step, "", rig.time_ns)
            self._changes.note()
            self._judge(events)

    def _over(self, rig: RecordedRig) -> None:
        """What was still expected of a recording that has come to its end."""
        for pending in self._pending:
            text = f"{pending.judge.expected()}, {pending.judge.was()} when the recording was over"
            self._fail(pending.judge.check.place, rig.time_ns, text, pending.judge.paths)
        for step in self._steps:
            if step.checks:
                text = f"expected something at {texts.time(step.time_ns)}, but the recording is over"
                self._fail(step.place, rig.time_ns, text, ())

    @property
    def _enough(self) -> bool:
        return len(self._result.failures) >= FAILURES_MAX

    def _due(self, now_ns: int) -> Iterator[Step]:
        while self._steps and self._steps[0].time_ns <= now_ns:
            yield self._steps.pop(0)

    def _expect(self, step: Step, asked: str, now_ns: int) -> None:
        for check in step.checks:
            within_ns = step.within_ns
            if check.kind == "outcome" and not within_ns:
                within_ns = _OUTCOME_NS
            judge = Judge(check, self._rig, asked)
            self._pending.append(_Pending(judge, now_ns + within_ns, step.for_ns))

    def _judge(self, events: Sequence[Mapping[str, Any]]) -> None:
        now_ns = self._rig.time_ns
        for pending in list(self._pending):
            said = pending.look(now_ns, events)
            if said is not None:
                self._pending.remove(pending)
            if said:
                self._fail(pending.judge.check.place, now_ns, said, pending.judge.paths)
        for one in list(self._always):
            if one.broken(now_ns):
                self._always.remove(one)  # said once
                word = "always" if one.wanted else "never"
                text = f"expected {word} {one.check.subject}, {one.condition.values()}"
                self._fail(one.check.place, now_ns, text, one.condition.paths)

    def _fail(self, place: Place, now_ns: int, text: str, paths: Sequence[str]) -> None:
        changes = tuple(self._changes.of(paths))
        self._result.failures.append(Failure(place, max(0, now_ns), text, changes))


def _do(rig: Rig, step: Step, now_ns: int) -> str:
    """What happens in a step; the id of its request, if there is one."""
    world = rig.world
    for device, linked in step.devices.items():
        world.link(device, linked=linked)
    if isinstance(world, SimulatedWorld):
        for device, what in step.inject.items():
            world.inject(device, what, now_ns)
    world.begin(step.series, now_ns)
    if step.restart is not None:
        rig.restart(manual=step.restart == "manual")
    asked = ""
    for ask in step.asks:
        asked = rig.ask(ask)
    return asked
