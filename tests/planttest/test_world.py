"""The devices of a plant test: laws of followers and series, and how a command reaches a device."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scada.planttest import texts
from scada.planttest.follow import Follower
from scada.planttest.rig import Rig
from scada.planttest.world import World, quantised
from tags import expression, units
from tags.site.plant_tests_compiled import Ask, Follow, Plant, Point, Series
from tests.planttest.demo import program, site, suite

OUT, POS, RUN, START, STOP = ("tank1/LV-101/OUT", "tank1/LV-101/POS", "tank1/P-101/RUN", "tank1/P-101/START",
                              "tank1/P-101/STOP")  # fmt: skip
TAGS = site().by_path()
STEP_NS = 100_000_000


@given(
    st.floats(0, 100),
    st.lists(st.floats(-50, 150), min_size=1, max_size=30),
    st.sampled_from([0, 20]),
    st.sampled_from([0, 5]),
)
def test_a_follower_moves_towards_its_goal_no_faster_than_it_may(
    begin: float, goals: list[float], time_s: int, lag_s: int
) -> None:
    follow = Follow(
        POS, of=expression.parse(OUT), time_ns=time_s * 10**9, lag_ns=lag_s * 10**9, low=0.0, high=100.0
    )
    follower, value = Follower(follow, TAGS), begin
    for goal in goals:
        before = value
        value = follower.step(STEP_NS, {OUT: goal}.__getitem__, value)
        inside = min(max(goal, 0.0), 100.0)
        assert 0.0 <= value <= 100.0
        assert abs(value - inside) <= abs(before - inside) + 1e-9
        if time_s:
            assert abs(value - before) <= 100.0 / time_s * 0.1 + 1e-9
        elif not lag_s:
            assert value == inside


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40), st.integers(0, 5))
def test_a_starter_runs_only_after_a_start_and_stop_wins(pulses: list[tuple[bool, bool]], steps: int) -> None:
    follower = Follower(Follow(RUN, start=START, stop=STOP, time_ns=steps * STEP_NS), TAGS)
    run, since = False, None
    for number, (start, stop) in enumerate(pulses):
        was = run
        run = follower.step(STEP_NS, {START: start, STOP: stop}.__getitem__, run)
        if stop:
            assert not run
            since = None
        elif not was and start and since is None:
            since = number
        if run and not was:
            assert since is not None
            assert number - since == steps
            since = None


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 5))
def test_a_delayed_contact_shows_only_what_lasted(goals: list[bool], steps: int) -> None:
    follower = Follower(Follow("tank1/LSHH-101", of=expression.parse(RUN), time_ns=steps * STEP_NS), TAGS)
    shown = False
    for number, goal in enumerate(goals):
        before = shown
        shown = follower.step(STEP_NS, {RUN: goal}.__getitem__, shown)
        if shown is not before:
            assert set(goals[max(0, number - steps) : number + 1]) == {shown}


@given(
    st.lists(st.tuples(st.integers(1, 50), st.floats(0, 5)), min_size=1, max_size=6),
    st.integers(0, 300),
    st.booleans(),
)
def test_a_series_passes_through_its_points_and_stays_between_them(
    rows: list[tuple[int, float]], at: int, step: bool
) -> None:
    time, points = 0, []
    for scans, value in rows:
        time += scans
        points.append(Point(time * STEP_NS, value))
    world = World(program(), Plant())
    world.begin([Series("tank1/LT-101", tuple(points), step=step)], 0)
    for scan in range(at + 1):
        world.advance(scan * STEP_NS, STEP_NS, world.read)
    held, now = world.truth["tank1/LT-101"], at * STEP_NS
    past = [point for point in points if point.time_ns <= now]
    assert held == past[-1].value if past and (step or len(past) == len(points)) else True
    for one, two in pairwise(points):
        if one.time_ns <= now <= two.time_ns:
            assert isinstance(one.value, float)
            assert isinstance(two.value, float)
            assert min(one.value, two.value) - 1e-9 <= held <= max(one.value, two.value) + 1e-9
    if not past:
        assert held == 0.0


@given(st.floats(0, 100))
def test_a_register_holds_a_value_in_its_steps(value: float) -> None:
    tag = TAGS[OUT]
    held = quantised(tag, value)
    assert abs(held - value) <= tag.scaling.gain / 2 + 1e-12
    assert quantised(tag, held) == held


def rig(text: str = "") -> Rig:
    plant = suite(f"tests: {{t: {{given: {{tank1/LT-101: 2.5 m, {OUT}: 30 %}}{text}}}}}").tests[0].plant
    return Rig(program(), plant)


def written(one: Rig, path: str, count: int) -> list[int]:
    """Scans after which a device holds another value."""
    changes, before = [], one.world.truth[path]
    for number in range(count):
        one.scan()
        if one.world.truth[path] != before:
            before = one.world.truth[path]
            changes.append(number)
    return changes


def test_a_command_waits_for_its_shortest_interval() -> None:
    one = rig()
    written(one, OUT, 20)
    falls = Series("tank1/LT-101", (Point(0, None), Point(8_000_000_000, 2.2)))
    one.world.begin([falls], one.time_ns)  # the controller opens the valve, a little more in each scan
    changes = written(one, OUT, 60)
    assert len(changes) > 8
    assert all(later - earlier >= 5 for earlier, later in pairwise(changes))


def test_a_pulse_stays_for_its_time_and_no_button_is_pressed_late() -> None:
    one = rig()
    written(one, "tank1/RESET", 10)
    one.ask(Ask("write", (("tank1/RESET", True),)))
    first, last = written(one, "tank1/RESET", 30)
    assert last - first == 5
    for lost, pressed in ((20, True), (60, False)):
        one.ask(Ask("write", (("tank1/RESET", True),)))
        one.world.link("PLC1", linked=False)
        written(one, OUT, lost)
        one.world.link("PLC1", linked=True)
        assert bool(written(one, "tank1/RESET", 30)) is pressed


def test_nothing_is_written_to_a_device_that_is_lost_or_not_armed() -> None:
    for hide in ("link", "armed"):
        one = rig()
        written(one, OUT, 20)
        if hide == "link":
            one.world.link("PLC1", linked=False)
        else:
            one.world.set("system/PLC1/armed", False)
        one.world.set("tank1/LT-101", 4.8)
        assert written(one, OUT, 50) == []


@given(st.integers(0, 10**15))
def test_a_duration_is_written_to_the_nanosecond(ns: int) -> None:
    assert units.duration_ns(texts.time(ns)) == ns
    assert not texts.time(ns).startswith(".")
