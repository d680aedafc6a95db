"""Own blocks in the scan: inputs, units, quality, states, what they drive; and the trial that finds what is not pure."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks import own_load, own_trial
from scada.blocks.base import FORCED, LOCAL
from scada.blocks.own import OwnBlock
from scada.blocks.own_block import Own
from tags import model, own
from tags.quality import (
    BAD_NO_COMMUNICATION,
    BAD_OUT_OF_RANGE,
    BAD_SENSOR_FAILURE,
    GOOD,
    UNCERTAIN_LAST_USABLE,
    is_bad,
)
from tags.site import SiteError
from tests.blocks.rig import SECOND, Rig
from tests.support.site import make_site

HEAD = "import math\nfrom scada.blocks.own import Input, Output, OwnBlock, Setting, State\n"
LEAK = f"""{HEAD}
class Leak(OwnBlock):
    flow: float = Input("m3/h")
    open: bool = Input()
    k: float = Setting(2.0)
    level: float = Output("m")
    steps: int = Output()
    volume: float = State(1.0)
    times: int = State(0, retain=False)
    window: tuple[float, ...] = State(())

    def step(self, dt: float) -> None:
        self.window = tuple([*self.window, self.flow][-3:])
        if self.open:
            self.volume += sum(self.window) / len(self.window) * dt
        self.times += 1
        self.level = self.volume * self.k
        self.steps = self.times
"""
DRIVER = f"""{HEAD}
class Driver(OwnBlock):
    x: float = Input()
    out: float = Output("%")
    i: float = State(0.0)

    def step(self, dt: float) -> None:
        if self.tracking("out"):
            self.i = self.applied("out") - self.x
        self.out = self.i + self.x
"""


def block(source: str, name: str, inputs: dict[str, str], path: str = "t/B", **config: Any) -> model.Block:
    declared = own.read(source, "blocks/b.py")[name]
    settings = {n: m.args["default"] for n, m in declared.of("setting").items()} | config.pop("settings", {})
    points = {n.upper(): path if n == "out" else f"{path}/{n.upper()}" for n in declared.of("output")}
    if config.get("drives"):
        points["MODE"] = f"{path}/MODE"
    return model.Block(path=path, type="own", points=points, config={
        "class": name, "file": "blocks/b.py", "source": source, "settings": settings,
        "inputs": {n: {"expression": text} for n, text in inputs.items()}, "drives": {}, "first_mode": 2, **config,
    })  # fmt: skip


def leak(**config: Any) -> Rig:
    tags: dict[str, dict[str, Any]] = {
        "t/X": {}, "t/V": {"type": "bool"},
        "t/B/LEVEL": {"kind": "block"}, "t/B/STEPS": {"kind": "block", "type": "int32"},
    }  # fmt: skip
    rig = Rig([block(LEAK, "Leak", {"flow": "t/X", "open": "t/V"}, **config)], tags, SECOND)
    rig.set("t/X", 3.0)
    rig.set("t/V", value=True)
    return rig


def test_it_steps_with_inputs_settings_states_and_time() -> None:
    rig = leak(settings={"k": 10.0})
    rig.scan()
    assert (rig.get("t/B/LEVEL"), rig.get("t/B/STEPS")) == (40.0, 1)
    rig.set("t/X", 6.0)
    rig.scan(periods=2)
    assert rig.get("t/B/LEVEL") == pytest.approx((4 + 4.5 * 2) * 10)
    rig.set("t/V", value=False)
    rig.scan()
    assert (rig.get("t/B/STEPS"), rig.status("t/B/LEVEL")) == (3, GOOD)


def test_units_are_converted() -> None:
    config = block(LEAK, "Leak", {"flow": "t/X", "open": "t/V"})
    config.config["inputs"]["flow"] |= {"gain": 3.6, "offset": 1.0}
    rig = Rig([config], {"t/X": {}, "t/V": {"type": "bool"}}, SECOND)
    rig.set("t/X", 2.0)
    rig.set("t/V", value=True)
    rig.scan()
    assert rig.get("t/B/LEVEL") == (1 + 8.2) * 2


@pytest.mark.parametrize("status", [BAD_SENSOR_FAILURE, BAD_NO_COMMUNICATION, UNCERTAIN_LAST_USABLE])
def test_a_bad_input_holds_outputs_and_states(status: int) -> None:
    rig = leak()
    rig.scan()
    before = rig.get("t/B/LEVEL")
    rig.set("t/X", 99.0, status)
    rig.scan(3)
    assert (rig.get("t/B/LEVEL"), rig.status("t/B/LEVEL"), rig.get("t/B/STEPS")) == (before, status, 1)
    rig.set("t/X", 3.0)
    rig.scan()
    assert (rig.get("t/B/LEVEL"), rig.status("t/B/LEVEL")) == (before + 6.0, GOOD)


def test_one_that_runs_on_is_told() -> None:
    text = f"""{HEAD}
class First(OwnBlock):
    on_bad = "run"
    a: float = Input()
    b: float = Input()
    out: float = Output()
    new: bool = Output()

    def step(self, dt: float) -> None:
        self.out = self.a if self.good("a") else self.b
        self.new = self.fresh("a")
"""
    rig = Rig([block(text, "First", {"a": "t/A", "b": "t/B1"})],
              {"t/A": {}, "t/B1": {}, "t/B": {"kind": "block"}}, SECOND)  # fmt: skip
    rig.set("t/A", 1.0)
    rig.scan()
    assert is_bad(rig.status("t/B"))  # b was never read
    rig.set("t/B1", 2.0)
    rig.scan()
    assert (rig.get("t/B"), rig.status("t/B"), rig.get("t/B/NEW")) == (1.0, GOOD, False)
    rig.set("t/A", 9.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert (rig.get("t/B"), rig.status("t/B"), rig.get("t/B/NEW")) == (2.0, GOOD, True)


def test_nan_is_bad_and_another_type_changes_nothing() -> None:
    text = f"""{HEAD}
class Odd(OwnBlock):
    x: float = Input()
    out: float = Output()
    n: float = State(0.0)

    def step(self, dt: float) -> None:
        self.n += 1.0
        self.out = math.nan if self.x == 1.0 else "two" if self.x == 2.0 else 10.0 / (self.x - 3.0)
"""
    rig = Rig([block(text, "Odd", {"x": "t/X"})], {"t/X": {}, "t/B": {"kind": "block"}}, SECOND)
    rig.set("t/X", 5.0)
    rig.scan()
    rig.set("t/X", 1.0)
    rig.scan()
    assert (rig.get("t/B"), rig.status("t/B")) == (5.0, BAD_OUT_OF_RANGE)
    kept = rig.retained()
    for value, error in ((2.0, TypeError), (3.0, ZeroDivisionError)):
        rig.set("t/X", value)
        with pytest.raises(error):
            rig.scan()
        assert rig.retained() == kept


def driver(**config: Any) -> Rig:
    tags: dict[str, dict[str, Any]] = {"t/X": {}, "t/OUT": {"range": (0.0, 100.0)}, "t/B": {"kind": "block"}}
    rig = Rig([block(DRIVER, "Driver", {"x": "t/X"}, drives={"out": "t/OUT"}, **config)], tags, SECOND)
    rig.set("t/X", 0.0)
    rig.ready(**{"t/OUT": 40.0})
    return rig


def test_it_drives_in_auto_and_takes_over_without_a_bump() -> None:
    rig = driver(first_mode=1)
    rig.scan(2)
    assert (rig.applied("t/OUT"), rig.get("t/B/MODE")) == (40.0, 1)
    row = rig.outputs.path.index("t/OUT")
    assert rig.blocks["t/B"].write_output(row, 55.0) is None
    rig.scan(2)
    assert rig.applied("t/OUT") == 55.0
    assert rig.blocks["t/B"].write("MODE", 2) is None
    rig.scan()
    assert rig.applied("t/OUT") == 55.0
    rig.set("t/X", 3.0)
    rig.scan()
    assert rig.applied("t/OUT") == 58.0
    assert "set t/B/MODE to Manual first" in (rig.blocks["t/B"].write_output(row, 1.0) or "")
    assert "has the modes" in (rig.blocks["t/B"].write("MODE", 3) or "")
    assert "computed" in (rig.blocks["t/B"].write("OUT", 3) or "")


@pytest.mark.parametrize("why", [LOCAL, FORCED])
def test_it_follows_while_the_output_is_not_its_own(why: int) -> None:
    rig = driver()
    rig.scan()
    rig.gates["t/OUT"] = why
    rig.scan()
    rig.move("t/OUT", 70.0)
    rig.scan(2)
    rig.gates.clear()
    rig.scan()
    assert rig.applied("t/OUT") == 70.0


def test_a_bad_input_leaves_what_it_drives() -> None:
    rig = driver()
    rig.set("t/X", 5.0)
    rig.scan(2)
    before = rig.applied("t/OUT")
    rig.set("t/X", 50.0, BAD_SENSOR_FAILURE)
    rig.scan(3)
    assert rig.applied("t/OUT") == before


def test_out_of_service_drives_nothing_and_crashes_go_to_manual() -> None:
    rig = driver()
    rig.scan(2)
    rig.blocks["t/B"].write("MODE", 0)
    rig.set("t/X", 30.0)
    rig.scan(2)
    row = rig.outputs.path.index("t/OUT")
    assert rig.outputs.wanted[row] is None
    rig.blocks["t/B"].to_manual()
    rig.scan()
    assert rig.get("t/B/MODE") == 1


def test_restart_keeps_states_and_mode() -> None:
    rig = leak()
    rig.scan(5)
    again = leak()
    again.restore(rig.retained())
    again.scan()
    rig.scan()
    assert again.get("t/B/LEVEL") == rig.get("t/B/LEVEL")
    assert again.get("t/B/STEPS") == 1  # not retained
    auto = driver()
    auto.scan()
    for fresh, mode in ((True, 2), (False, 1)):
        later = driver(first_mode=1)
        later.restore(auto.retained(), fresh=fresh)
        later.scan()
        assert later.get("t/B/MODE") == mode


@pytest.mark.parametrize(
    "state",
    [
        {"state": 3},
        {"state": {"volume": "x", "window": [1, "y"], "gone": 1}},
        {"state": {"volume": True}},
        {"mode": 7},
    ],
)
def test_restoring_nonsense_keeps_the_defaults(state: dict[str, Any]) -> None:
    rig, plain = leak(), leak()
    rig.restore({"t/B": state})
    rig.scan()
    plain.scan()
    assert rig.get("t/B/LEVEL") == plain.get("t/B/LEVEL")


@given(
    st.lists(
        st.tuples(
            st.floats(),
            st.booleans(),
            st.sampled_from([GOOD, BAD_SENSOR_FAILURE, UNCERTAIN_LAST_USABLE]),
            st.booleans(),
        ),
        max_size=20,
    )
)
def test_all_of_its_state_is_in_its_slots(steps: list[Any]) -> None:
    """A block whose user object is thrown away between scans does the same."""
    one, other = leak(), leak()
    for x, opened, status, new in steps:
        for rig in (one, other):
            rig.set("t/X", x, status)
            rig.set("t/V", value=opened)
        made = other.blocks["t/B"]
        assert isinstance(made, Own)
        if new:
            cls = own_load.module(LEAK, "blocks/b.py")[1]["Leak"]
            made._user = cls()
        results = []
        for rig in (one, other):
            try:
                rig.scan()
            except (TypeError, OverflowError) as error:
                results.append(str(error))
        assert len(results) in (0, 2)
        assert repr(one.signals.value) == repr(other.signals.value)
        assert one.signals.status == other.signals.status


# ---- the class by itself


def test_a_class_can_be_tried_by_hand() -> None:
    cls = own_load.module(LEAK, "blocks/b.py")[1]["Leak"]
    made: Any = cls(k=3.0, volume=2.0)
    made.flow, made.open = 1.0, True
    made.step(1.0)
    assert (made.level, made.steps, made.good("flow"), made.applied("level")) == (9.0, 1, True, None)
    with pytest.raises(TypeError, match="declares no kk"):
        cls(kk=1)
    with pytest.raises(NotImplementedError):
        OwnBlock().step(1.0)


# ---- the trial


def site(source: str, name: str = "B", inputs: dict[str, str] | None = None) -> model.Site:
    made = block(source, name, inputs or {"x": "tank1/LT-101"})
    for one in made.config["inputs"].values():
        one["range"] = [0.0, 5.0]
    return dataclasses.replace(make_site(), blocks=(made,))


def simple(body: str, more: str = "", top: str = "") -> str:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return f"{HEAD}{top}\nclass B(OwnBlock):\n    x: float = Input()\n    out: float = Output()\n{more}\n    def step(self, dt: float) -> None:\n{lines}"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (simple("self.out = 1 / self.x"), "B: step raises ZeroDivisionError: float division by zero with x = 0. Say what"),
        (simple("self.out = math.log(self.x)"), "math domain error with x = 0"),
        (simple("self.out = 'a'"), "step raises TypeError: out = 'a' is not a float"),
        (simple("self.n = self.n * 3 + 1\nself.out = self.x", "    n: int = State(1)"), "step raises TypeError: n = "),
        (simple("self.out = self.t[5]", "    t: tuple[float, ...] = State(())"), "IndexError"),
        (simple("for i in range(100000):\n    self.out = float(i)"), "B: a step executes more than 20000 lines"),
        (simple("for i in range(1000000):\n    self.out = float(i)"), "a loop of 1000000 steps"),
        (simple("self.out = f(self.x)", top="def f(x):\n    return f(x)"), "B: "),
        (simple("self.out = self.x", top="N = 1 / 0"), "the file cannot be executed: ZeroDivisionError"),
        (simple("try:\n    for i in range(90000):\n        self.out = float(i)\nexcept ValueError:\n    pass"), "more than 20000"),
    ],
)  # fmt: skip
def test_the_trial_finds(source: str, says: str) -> None:
    (found,) = own_trial.problems(site(source))
    assert says in found.message
    assert (found.file, found.line > 0) == ("blocks/b.py", True)
    with pytest.raises(SiteError):
        own_trial.check(site(source))


@pytest.mark.parametrize(("source", "name", "inputs"), [
    (LEAK, "Leak", {"flow": "tank1/LT-101", "open": "tank1/P-101/RUN"}),
    (simple("self.out = self.x / 2"), "B", {"x": "tank1/LT-101"}),
])  # fmt: skip
def test_the_trial_passes(source: str, name: str, inputs: dict[str, str]) -> None:
    own_trial.check(site(source, name, inputs))


def test_hidden_state_is_found_even_if_a_rule_were_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the source keeps something in a list of the module, which the rules refuse."""
    text = simple("KEPT.append(1)\nself.out = float(len(KEPT))", top="KEPT = [0]")
    safe = simple("self.out = self.x")
    declared = own_load.load(safe, "blocks/b.py", "B")[0]

    def module(source: str, file: str) -> Any:
        space: dict[str, Any] = {}
        exec(compile(source, file, "exec"), space)
        return {"B": declared}, {"B": space["B"]}

    monkeypatch.setattr(own_load, "module", module)
    monkeypatch.setattr(
        own_load, "load", lambda source, file, name: (declared, module(source, file)[1][name])
    )
    made = site(safe)
    made.blocks[0].config["source"] = text
    (found,) = own_trial.problems(made)
    assert "gave other results" in found.message


def test_a_trial_is_always_the_same() -> None:
    made = site(simple("self.out = math.sin(self.x) * 3"))
    declared = own_load.load(made.blocks[0].config["source"], "blocks/b.py", "B")[0]
    series = [list(own_trial._series(declared, made.blocks[0].config["inputs"], 0.1)) for _ in range(2)]
    assert series[0] == series[1]
    assert {round(inputs["x"], 3) for inputs, _, _ in series[0]} >= {0.0, 5.0}
    assert json.dumps(series[0])


def tried(low: float, high: float, *, on_bad: str = "hold") -> list[tuple[dict[str, Any], list[str], float]]:
    """What the trial gives a block with a number and a switch."""
    text = simple("self.out = self.x", more=f"    v: bool = Input()\n    on_bad = '{on_bad}'")
    declared = own_load.load(text, "blocks/b.py", "B")[0]
    return list(own_trial._series(declared, {"x": {"range": [low, high]}, "v": {}}, 0.1))


@pytest.mark.parametrize(("low", "high", "nearest"), [(-4.0, 8.0, 0.0), (2.0, 7.0, 2.0), (-9.0, -3.0, -3.0)])
def test_a_trial_has_the_whole_range_its_ends_and_zero(low: float, high: float, nearest: float) -> None:
    steps = tried(low, high)
    xs = [inputs["x"] for inputs, _, _ in steps]
    assert len(steps) == 200
    assert all(low <= x <= high for x in xs)
    assert min(xs.count(x) for x in (low, high, nearest)) >= 10
    between = {round((x - low) / (high - low) * 10) for x in xs if x not in (low, high, nearest)}
    assert between == set(range(11))
    assert {inputs["v"] for inputs, _, _ in steps} == {False, True}


def test_a_trial_has_longer_steps_and_bad_inputs() -> None:
    steps = tried(0.0, 5.0, on_bad="run")
    times = [dt for _, _, dt in steps]
    assert {round(dt, 9) for dt in times} == {0.1, 0.3}
    assert 20 <= sum(dt > 0.1 for dt in times) <= 60
    assert steps[0][1] == ["x", "v"], "all is known at first"
    for name in ("x", "v"):
        assert 20 <= sum(name not in good for _, good, _ in steps) <= 60
    assert all(good == ["x", "v"] for _, good, _ in tried(0.0, 5.0)), "one that holds is not stepped then"


def test_a_trial_of_a_wide_range_where_none_is_given() -> None:
    declared = own_load.load(simple("self.out = self.x"), "blocks/b.py", "B")[0]
    xs = [inputs["x"] for inputs, _, _ in own_trial._series(declared, {}, 0.1)]
    assert (min(xs), max(xs), 0.0 in xs) == (-100.0, 100.0, True)


def test_the_trial_is_the_same_everywhere() -> None:
    """What one computer lets pass no other one refuses."""
    steps = [(round(inputs["x"], 4), inputs["v"]) for inputs, _, _ in tried(0.0, 5.0)]
    assert steps[:8] == [
        (1.6225, True),
        (5.0, False),
        (0.4805, False),
        (0.0, False),
        (0.0, True),
        (2.1545, True),
        (0.3055, False),
        (0.0925, False),
    ]
    assert round(sum(x for x, _ in steps), 3) == 444.183


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ("self.out = 1.0 if dt <= 0.3001 else math.log(0.0)", ""),
        ("self.out = math.sqrt(0.0 - self.out)", ""),
        ("self.n = 1 // (1 - self.n) - 1\nself.out = self.x", "    n: int = Output()"),
        ("self.on = bool(1 // (1 - int(self.on)) - 1)\nself.out = self.x", "    on: bool = Output()"),
    ],
)
def test_a_trial_steps_with_the_time_of_scans_and_outputs_begin_at_zero(body: str, more: str) -> None:
    assert [one.message for one in own_trial.problems(site(simple(body, more)))] == []


def test_each_setting_and_each_range_is_tried_and_all_is_told() -> None:
    text = simple("self.out = 1.0 / (self.x + self.k)", more="    k: float = Setting(9.0)")
    made = site(text)
    good = made.blocks[0]
    bad = dataclasses.replace(good, path="t/C", config={**good.config, "settings": {"k": 0.0}})
    wide = {"x": {**good.config["inputs"]["x"], "range": [-9.0, 5.0]}}
    worse = dataclasses.replace(good, path="t/D", config={**good.config, "inputs": wide})
    other = dataclasses.replace(made.blocks[0], path="t/O", type="calc", config={})
    found = own_trial.problems(dataclasses.replace(made, blocks=(other, good, worse, bad, bad)))
    assert [one.message.partition(" with ")[2] for one in found] == [
        "x = -9. Say what it does then.",
        "x = 0. Say what it does then.",
    ]
    assert not own_trial.problems(dataclasses.replace(made, blocks=(good, good)))


ENDLESS = {
    "loops in loops": "for i in range(1000):\n    for j in range(1000):\n        self.out += 1.0",
    "turns in one line": "self.out = 1.0 * sum([1 for i in range(1000) for j in range(1000)])",
    "a function of a function": "self.out = fib(40.0)",
    "what goes through in C": "for i in range(5000):\n    self.out += max(range(100000))",
    "a way around": "try:\n    self.out = fib(40.0)\nexcept ValueError:\n    self.out = 0.0\nexcept ArithmeticError:\n    pass",
    "a function without a name": "f = lambda n: n\nfor i in range(300):\n    self.out += sum(map(f, range(1000)))",
    "a list as long as an input says": "rows = [0.0] * int(self.x)\nself.out = len(rows) * 1.0",
}
FIB = "def fib(n):\n    return n if n < 2.0 else fib(n - 1.0) + fib(n - 2.0)"


@pytest.mark.parametrize("name", ENDLESS)
def test_a_step_that_would_not_end_makes_its_block_bad_and_no_other(name: str) -> None:
    """The trial has not seen this input."""
    body = "self.out = 0.0\nif self.x > 100.0:\n" + "\n".join(
        f"    {line}" for line in ENDLESS[name].splitlines()
    )
    config = block(simple(body, top=FIB), "B", {"x": "t/X"})
    rig = Rig([config], {"t/X": {}, "t/B": {"kind": "block"}}, SECOND)
    rig.set("t/X", 5.0)
    rig.scan()
    rig.set("t/X", 1e10)
    with pytest.raises((own_load.EndlessError, ValueError)):
        rig.scan()
    rig.set("t/X", 5.0)
    rig.scan()
    assert (rig.get("t/B"), rig.status("t/B")) == (0.0, GOOD), "the next step has all its turns"


def test_a_long_step_that_ends_is_left_alone() -> None:
    body = "self.out = 1.0 * sum([i for i in range(200) if i % 2 for j in range(100)])"
    config = block(simple(body), "B", {"x": "t/X"})
    rig = Rig([config], {"t/X": {}, "t/B": {"kind": "block"}}, SECOND)
    rig.set("t/X", 5.0)
    for _ in range(30):
        rig.scan()
        assert rig.get("t/B") == sum(i for i in range(200) if i % 2 for j in range(100))


@pytest.mark.parametrize(
    ("value", "fits"), [(2**31 - 1, True), (-(2**31), True), (2**31, False), (-(2**40), False)]
)
def test_a_whole_number_that_its_tag_cannot_hold_is_no_output(value: int, fits: bool) -> None:
    """The tag has 32 bits: what does not fit would be published cut off, and clients could not read it."""
    source = simple("self.out = int(self.x)").replace("out: float", "out: int")
    rig = Rig(
        [block(source, "B", {"x": "t/X"})], {"t/X": {}, "t/B": {"kind": "block", "type": "int32"}}, SECOND
    )
    rig.set("t/X", float(value))
    if fits:
        rig.scan()
        assert rig.get("t/B") == value
    else:
        with pytest.raises(TypeError, match="32 bits"):
            rig.scan()
        assert rig.get("t/B") == 0
