"""Tasks with periods and priorities: who runs when, what is new to whom, what stays between two runs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.blocks import registry
from scada.blocks.base import LIMITED, Binder, Context, FunctionBlock, Tick
from scada.scan import Inputs, Program, State, build, checkpoint, start, step
from tags.model import Block, Site, Tag, Task
from tags.quality import GOOD
from tests.scan.plant import ARMED, LEVEL, LOCK, MODE, PANEL, PUMP, SP, SPEED, VALVE, Plant, plant_site
from tests.site.helpers import BASE as BASE_SITE
from tests.site.helpers import compile_case

BASE = 100_000_000
LOOP = "tank1/LIC-101"


class Probe(FunctionBlock):
    """Notes its runs and does in each what the test says."""

    __slots__ = ("answer", "drives", "inputs", "point", "puts", "runs")
    type = "probe"

    def __init__(self, config: Block, binder: Binder) -> None:
        super().__init__(config, binder)
        self.inputs = {path: binder.slot(path) for path in config.config.get("inputs", ())}
        out = config.config.get("out")
        self.drives = None if out is None else binder.output(out, self if config.config.get("own") else None)
        self.point = binder.point(config, "OUT")
        self.answer = config.config.get("answer")
        self.puts: list[Any] = []  # what it puts or drives in its next runs
        self.runs: list[tuple[Tick, int, int, set[str]]] = []

    def step(self, ctx: Context) -> None:
        fresh = {path for path, slot in self.inputs.items() if ctx.signals.fresh[slot]}
        self.runs.append((ctx.tick, ctx.dt_ns, ctx.seen_ns, fresh))
        if self.answer is not None and self.drives is not None:
            ctx.outputs.feedback[self.drives] = self.answer
        value = self.puts.pop(0) if self.puts else None
        if isinstance(value, Exception):
            raise value
        if value is not None and self.drives is not None:
            ctx.drive(self.drives, value)
        elif value is not None:
            ctx.put(self.point, float(value), fresh=True)


@pytest.fixture(autouse=True)
def _probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.TYPES, "probe", Probe)


def probe(path: str, task: str, **config: Any) -> Block:
    return Block(path=path, type="probe", config=config, points={"OUT": f"{path}/OUT"}, task=task)


def site_of(blocks: Sequence[Block], tasks: Sequence[tuple[str, int, int]]) -> Site:
    """The plant with other blocks; tasks are (name, period in scans, priority)."""
    site = plant_site(
        blocks=tuple(blocks), tasks=tuple(Task(name=n, period_ns=e * BASE, priority=p) for n, e, p in tasks)
    )
    own = sum(tag.writer == "control" for tag in site.tags)
    points = [
        Tag(id=900 + n, path=path, type="float64", kind="block", writer="control", row=own + n)
        for n, path in enumerate(
            path for block in blocks if block.type == "probe" for path in block.points.values()
        )
    ]
    return dataclasses.replace(
        site, tags=tuple(sorted((*site.tags, *points), key=lambda t: (t.writer, t.row)))
    )


def probes(state: State) -> dict[str, Probe]:
    return {block.path: block for block in state.blocks if isinstance(block, Probe)}


def scan(program: Program, state: State, number: int, periods: int = 1, samples: Sequence[Any] = ()) -> None:
    step(program, state, Inputs(samples), (), Tick(number, periods, BASE, number * BASE))


TASKS = (("fast", 1, 1), ("scan", 2, 5), ("slow", 10, 9))


def three() -> Program:
    return build(site_of([probe(name, name) for name, _, _ in TASKS], TASKS))


def test_each_runs_in_its_period_and_in_order_of_priority() -> None:
    program = build(site_of([probe(name, name) for name in ("slow", "scan", "fast")], TASKS[::1]))
    state = start(program)
    told: list[list[int]] = []
    for number in range(1, 22):
        ran: list[int] = []
        step(program, state, Inputs(), (), Tick(number, 1, BASE, number), ran.append)
        told.append(ran)
    assert [one.name for one in program.tasks] == ["fast", "scan", "slow"]
    assert told[0] == [-1, 0, 1, 2], "all of them in the first scan"
    assert told[1:4] == [[-1, 0], [-1, 0, 1], [-1, 0]]
    assert [n for n, ran in enumerate(told) if 2 in ran] == [0, 10, 20]
    runs = probes(state)["slow"].runs
    assert [(tick.periods, tick.period_ns, dt) for tick, dt, _, _ in runs] == [(1, 10 * BASE, 10 * BASE)] * 3


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=60),
    st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True),
)
def test_what_was_missed_reaches_the_blocks_and_is_never_run_twice(
    periods: list[int], every: list[int]
) -> None:
    registry.TYPES["probe"] = Probe
    tasks = [(f"t{n}", e, n) for n, e in enumerate(every)]
    program = build(site_of([probe(name, name) for name, _, _ in tasks], tasks))
    state = start(program)
    count = 0
    for number, elapsed in enumerate(periods, 1):
        scan(program, state, number, elapsed)
        count += elapsed if number > 1 else 0
        for name, e, _ in tasks:
            runs = probes(state)[name].runs
            assert len(runs) <= number
            first = max(1, periods[0] // e)
            assert sum(tick.periods for tick, *_ in runs) == first + count // e, "lost or doubled"
            assert all(dt == tick.periods * e * BASE for tick, dt, *_ in runs)


def test_a_long_pause_does_not_bunch_scans() -> None:
    program = three()
    state = start(program)
    scan(program, state, 1)
    scan(program, state, 2, periods=57)
    scan(program, state, 3)
    scan(program, state, 4, periods=2)
    runs = probes(state)["slow"].runs
    assert [tick.periods for tick, *_ in runs] == [1, 5, 1], "its own grid stays"
    assert runs[1][2] == 50 * BASE, "five periods count as watched"


_events = st.lists(
    st.tuples(
        st.sets(st.sampled_from((LEVEL, PANEL))),  # new samples
        st.sets(st.sampled_from(("a", "b", "c"))),  # blocks that put their point
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(_events, st.permutations([1, 2, 5]))
def test_nothing_new_is_missed_or_seen_twice(
    moves: list[tuple[set[str], set[str], int]], every: list[int]
) -> None:
    """Against a model that keeps for each task the set of what is new to it."""
    registry.TYPES["probe"] = Probe
    names = ("a", "b", "c")
    seen = (LEVEL, PANEL, *(f"{name}/OUT" for name in names))
    program = build(
        site_of(
            [probe(name, name, inputs=seen) for name in names],
            [(n, e, 1) for n, e in zip(names, every, strict=True)],
        )
    )
    order = [task.name for task in program.tasks]
    state = start(program)
    new: dict[str, set[str]] = {name: set() for name in names}
    count = -1
    for number, (samples, putting, periods) in enumerate(moves, 1):
        before, count = count, (count + periods if count >= 0 else 0)
        given_ = [(program.index[path], float(number), GOOD, number) for path in samples]
        due = [
            n for n in order if before < 0 or count // every[names.index(n)] > before // every[names.index(n)]
        ]
        blocks = probes(state)
        for name in names:
            new[name] |= samples
            blocks[name].puts = [number] if name in putting else []
        scan(program, state, number, periods, given_)
        published = set()
        for name in due:
            assert blocks[name].runs[-1][3] == new[name], (number, name)
            new[name] = set()
            if name in putting:
                published.add(f"{name}/OUT")
                for other in names:
                    if other != name:
                        new[other].add(f"{name}/OUT")
        assert {
            path for path in blocks if len(blocks[path].runs) and blocks[path].runs[-1][0].number == number
        } == set(due)
        assert {state.signals.value[program.index[path]] for path in published} <= {float(number)}


def test_what_a_task_put_is_published_in_its_scan_and_once() -> None:
    program = three()
    state = start(program)
    slot = program.index["slow/OUT"]
    found = []
    for number in range(1, 22):
        probes(state)["slow"].puts = [7]
        _, writes, _ = step(program, state, Inputs(), (), Tick(number, 1, BASE, number))
        if slot in writes.slots:
            found.append(number)
    assert found == [1, 11, 21]


def test_what_the_output_stage_wrote_is_new_in_the_next_scan() -> None:
    """A memory tag that a block writes is new to who reads it, one scan later."""
    writer = probe("w", "scan", out="tank1/draining", own=True)
    program = build(site_of([writer, probe("r", "scan", inputs=("tank1/draining",))], [("scan", 1, 5)]))
    state = start(program)
    for number in range(1, 4):
        scan(program, state, number)
    probes(state)["w"].puts = [True]
    for number in range(4, 8):
        scan(program, state, number)
    assert [bool(fresh) for *_, fresh in probes(state)["r"].runs] == [
        False,
        False,
        False,
        False,
        True,
        False,
        False,
    ]


def slow_loop(*, lock: str) -> Plant:
    """The level loop in a task of 10 scans, in Auto, its interlock in another task."""
    base = plant_site()
    loop, interlock = base.blocks[0], base.blocks[-1]
    blocks = [dataclasses.replace(loop, task="slow"), dataclasses.replace(interlock, task=lock)]
    plant = Plant(build(site_of(blocks, [("fast", 1, 1), ("slow", 10, 9)])))
    plant.scan(scans=12)
    assert plant.ask("write", (MODE, "Auto"), scans=12)[-1][0] == "confirmed"
    return plant


def test_an_output_stays_between_two_runs_and_moves_with_them() -> None:
    plant = slow_loop(lock="fast")
    moved = []
    for n in range(60):
        plant.registers[LEVEL] = 2.0 + 0.01 * n
        before = plant.command(VALVE)
        plant.scan()
        if plant.command(VALVE) != before:
            moved.append(plant.state.tasks.count % 10)
    assert len(moved) == 6
    assert set(moved) == {0}, "only when its task ran"
    assert plant.command(VALVE) is not None, "driven in every scan"


@pytest.mark.parametrize("task", ["fast", "slow"])
def test_an_interlock_holds_in_every_scan_and_lets_go(task: str) -> None:
    plant = slow_loop(lock=task)
    plant.registers[LEVEL] = 4.9
    plant.scan(scans=11 if task == "slow" else 1)
    assert plant.value(f"{LOCK}/ACTIVE") is True
    for _ in range(25):
        plant.scan()
        assert plant.command(VALVE) == 0.0, "whatever the loop wants, whoever runs"
    plant.registers[LEVEL] = 2.0
    plant.scan(scans=21)
    assert plant.value(f"{LOCK}/ACTIVE") is False
    assert plant.command(VALVE) > 0.0


def test_in_shadow_a_command_shows_in_every_scan_what_would_be_done() -> None:
    """The loop is slow, its interlock fast: what the loop wants stays although it was not asked in this scan."""
    lock = dataclasses.replace(plant_site().blocks[-1], task="fast")
    blocks = [probe("p", "slow", out=VALVE, own=True), lock]
    plant = Plant(build(site_of(blocks, [("fast", 1, 1), ("slow", 10, 9)])))
    plant.registers[ARMED] = False
    probes(plant.state)["p"].puts = [42.0] * 9
    plant.scan(scans=3)
    for _ in range(30):
        plant.scan()
        assert (plant.value(f"{VALVE}/command"), plant.command(VALVE)) == (42.0, None)


def test_the_interlock_of_the_first_task_wins() -> None:
    base = plant_site()
    lock = base.blocks[-1]
    other = dataclasses.replace(
        lock, path="tank1/LOCK-2", points={}, config={**lock.config, "value": 50.0}, task="slow"
    )
    for tasks, held in (((("fast", 1, 1), ("slow", 10, 9)), 0.0), ((("fast", 1, 9), ("slow", 10, 1)), 50.0)):
        plant = Plant(build(site_of([other, dataclasses.replace(lock, task="fast")], tasks)))
        plant.scan(scans=12)
        plant.registers[LEVEL] = 4.9
        plant.scan(scans=12)
        for _ in range(15):
            plant.scan()
            assert plant.command(VALVE) == held


def test_two_tasks_that_write_one_tag_do_not_repeat_what_they_wrote() -> None:
    blocks = [probe(name, name, out="tank1/draining") for name in ("fast", "slow")]
    program = build(site_of(blocks, [("fast", 1, 1), ("slow", 10, 9)]))
    plant = Plant(program)
    plant.scan(scans=10)
    probes(plant.state)["slow"].puts = [True]
    plant.scan()
    assert plant.value("tank1/draining") is True
    probes(plant.state)["fast"].puts = [False]
    plant.scan(scans=5)
    assert plant.value("tank1/draining") is False


def test_what_came_of_a_wish_stays_until_the_next_run() -> None:
    answer = probe("a", "slow", out="tank1/draining", answer=(True, LIMITED))
    program = build(site_of([answer], [("fast", 1, 1), ("slow", 10, 9)]))
    plant = Plant(program)
    outs, row = plant.state.context.outputs, program.output_of["tank1/draining"]
    for _ in range(15):
        plant.scan()
        assert (outs.applied[row], outs.tracking[row]) == (True, LIMITED)


def test_outputs_and_alarms_keep_the_time_of_the_scan() -> None:
    plant = Plant(build(site_of([probe("p", "slow")], [("fast", 1, 1), ("slow", 10, 9)])))
    plant.scan(scans=5)
    plant.ask("write", (SPEED, 70.0))
    before = plant.command(SPEED)
    for _ in range(15):
        plant.scan()
        assert plant.command(SPEED) == pytest.approx(before + 1.0), "10 units a second, whoever ran"
        before = plant.command(SPEED)


def test_what_a_person_writes_to_a_slow_block_is_shown_at_once_and_acts_in_its_next_run() -> None:
    plant = slow_loop(lock="fast")
    while plant.state.tasks.count % 10 != 3:
        plant.scan()
    before = plant.command(VALVE)
    assert plant.ask("write", (SP, 3.7))[-1][0] == "confirmed"
    assert (plant.value(SP), plant.command(VALVE)) == (3.7, before)
    plant.registers[LEVEL] += 0.001  # a controller executes with a new sample
    plant.scan(scans=5)
    assert (plant.value(SP), plant.command(VALVE)) == (3.7, before)
    plant.scan(scans=12)
    assert plant.value(SP) == 3.7
    assert plant.command(VALVE) > before


def test_a_pulse_of_a_slow_block_is_given_once() -> None:
    program = build(site_of([probe("p", "slow", out=PUMP, own=True)], [("fast", 1, 1), ("slow", 10, 9)]))
    plant = Plant(program)
    plant.scan(scans=10)
    plant.writes.clear()
    probes(plant.state)["p"].puts = [True, None, True]
    plant.scan(scans=40)
    assert [path for _, path, _ in plant.writes] == [PUMP, PUMP]


def test_a_shared_set_point_is_asked_for_once() -> None:
    program = build(site_of([probe("p", "slow", out=PANEL)], [("fast", 1, 1), ("slow", 10, 9)]))
    plant = Plant(program)
    plant.scan(scans=10)
    plant.writes.clear()
    probes(plant.state)["p"].puts = [22.0]
    plant.scan(scans=5)
    assert [(path, value) for _, path, value in plant.writes] == [(PANEL, 22.0)]
    plant.registers[PANEL] = 19.0  # the panel has the last word
    plant.scan(scans=30)
    assert (plant.registers[PANEL], len(plant.writes)) == (19.0, 1)


def test_a_memory_tag_and_a_free_output_keep_what_a_person_wrote_after_the_block() -> None:
    blocks = [probe("m", "slow", out="tank1/draining"), probe("s", "slow", out=SPEED)]
    plant = Plant(build(site_of(blocks, [("fast", 1, 1), ("slow", 10, 9)])))
    plant.scan(scans=10)
    probes(plant.state)["m"].puts, probes(plant.state)["s"].puts = [True], [60.0]
    plant.scan(scans=2)
    assert plant.value("tank1/draining") is True
    plant.ask("write", ("tank1/draining", False), (SPEED, 40.0), scans=5)
    assert plant.value("tank1/draining") is False, "within the period of the task, too"
    plant.scan(scans=30)
    assert (plant.value("tank1/draining"), plant.command(SPEED)) == (False, 40.0)


def test_a_block_that_raises_in_a_slow_task_is_tried_again() -> None:
    program = three()
    state = start(program)
    block = probes(state)["slow"]
    scan(program, state, 1)
    block.puts = [ValueError("planted")]
    events = []
    for number in range(2, 240):
        _, _, told = step(program, state, Inputs(), (), Tick(number, 1, BASE, number))
        events += [(number, event["failed"]) for event in told if event["kind"] == "block"]
    assert [failed for _, failed in events] == [True, False]
    assert events[1][0] - events[0][0] <= 100
    assert len(probes(state)["fast"].runs) == 239, "the others went on"


def walk(plant: Plant, seed: int, scans: int) -> list[tuple[Any, ...]]:
    """A lively stretch; what each scan decided."""
    decided = []
    for n in range(scans):
        k = (n * 7919 + seed * 104_729) % 1000
        plant.registers[LEVEL] += (plant.registers[VALVE] - 40.0) * 2e-3 + (k - 500) * 1e-4
        if k < 30:
            plant.ask("write", (MODE, "Auto" if k % 2 else "Manual"))
        elif k < 50:
            plant.registers["tank1/LV-101/REM"] = bool(k % 2)
        plant.scan(periods=1 + (k > 950) * 3)
        signals, outs = plant.state.signals, plant.state.context.outputs
        decided.append(
            (
                list(signals.value), list(signals.status), list(signals.time_ns), list(plant.last.slots),
                list(outs.applied), list(outs.tracking),
            )
        )  # fmt: skip
    return decided


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_tasks_of_one_period_decide_what_one_task_decides(seed: int) -> None:
    base = plant_site()
    split = dataclasses.replace(
        base,
        blocks=tuple(dataclasses.replace(b, task="one" if b.path == LOOP else "two") for b in base.blocks),
        tasks=(Task(name="one", period_ns=BASE, priority=1), Task(name="two", period_ns=BASE, priority=2)),
    )
    ordered = dataclasses.replace(base, blocks=tuple(sorted(base.blocks, key=lambda b: b.path != LOOP)))
    assert walk(Plant(build(split)), seed, 120) == walk(Plant(build(ordered)), seed, 120)


CASCADE = """
tags:
  a/FT-1: {device: PLC1, address: input/20, type: int16, raw: [0, 27648], range: [0, 100], unit: m3/h}
  a/DEMAND: {type: float64, unit: m3/h, range: [0, 100], initial: 0, writable: true}
control:
  a/LIC-1:
    {block: pid, task: slow, pv: a/LT-1, out: a/DEMAND, action: reverse, tuning: {gain: 5, ti: 60 s},
     setpoint: {initial: 2.5 m, limits: [0, 5]}, mode: {first: auto}}
  a/FIC-1:
    {block: pid, pv: a/FT-1, out: a/LV-1/OUT, action: reverse, tuning: {gain: 0.5, ti: 2 s},
     setpoint: {initial: 30, limits: [0, 100], cascade: a/DEMAND}, mode: {first: cascade}}
"""


def test_a_slow_controller_leads_a_fast_one_and_follows_it_when_it_is_not_heard(tmp_path: Path) -> None:
    head = (BASE_SITE / "site.yaml").read_text() + "tasks: {slow: {period: 1 s, priority: 9}}\n"
    program = build(compile_case(tmp_path / "site", CASCADE, **{"site.yaml": head}))
    registers = {"a/LT-1": 2.0, "a/FT-1": 30.0, "a/LV-1/OUT": 30.0, "a/LV-1/POS": 30.0}
    plant = Plant(program, registers=registers)

    def run(scans: int) -> float:
        """The largest step of the valve, of the demand beside the set point that acts in the end."""
        steps = []
        for _ in range(scans):
            flow = plant.registers["a/FT-1"]
            plant.registers["a/FT-1"] = flow + (plant.registers["a/LV-1/OUT"] - flow) * 0.3
            plant.registers["a/LT-1"] += (flow - 40.0) * 2e-4
            before = plant.value("a/LV-1/OUT/command")
            plant.scan()
            steps.append(abs(plant.value("a/LV-1/OUT/command") - before))
        return float(max(steps))

    run(10)
    assert run(4000) < 2.0
    assert plant.value("a/LT-1") == pytest.approx(2.5, abs=0.02)
    assert plant.value("a/FIC-1/SP") == plant.value("a/DEMAND") == pytest.approx(40.0, abs=0.5)
    plant.ask("write", ("a/FIC-1/MODE", "Auto"), ("a/FIC-1/SP", 55.0))
    run(100)
    assert plant.value("a/DEMAND") == 55.0, "it winds nothing up"
    plant.ask("write", ("a/FIC-1/MODE", "Cascade"))
    assert run(10) < 0.1, "taken over without a bump"
    assert plant.value("a/DEMAND") == pytest.approx(55.0, abs=3.0)
    assert run(300) < 2.0


@pytest.mark.parametrize("at", [1, 7, 13, 40])
def test_a_checkpoint_of_everything_goes_on_alike(at: int) -> None:
    plant, other = slow_loop(lock="fast"), slow_loop(lock="fast")
    plant.scan(scans=at)
    other.scan(scans=at)
    kept = json.loads(json.dumps(checkpoint.dump(other.program, other.state)))
    other.state = checkpoint.load(other.program, kept)
    assert walk(plant, at, 60) == walk(other, at, 60)


def test_a_program_with_a_wrong_task_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no task 'other'"):
        build(site_of([probe("p", "other")], [("scan", 1, 5)]))
    site = plant_site(tasks=(Task(name="scan", period_ns=BASE), Task(name="odd", period_ns=BASE * 3 // 2)))
    with pytest.raises(ValueError, match="no whole multiple"):
        build(site)
