"""What the source of an own block may hold, and everything that it may not: nothing here is executed."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks import own_load
from tags import own

HEAD = "import math\nfrom scada.blocks.own import Input, Output, OwnBlock, Setting, State\n"
CLASS = """
class B(OwnBlock):
    x: float = Input()
    k: float = Setting(2.0)
    n: int = State(0)
    out: float = Output()

    def step(self, dt: float) -> None:
"""


def source(body: str = "self.out = self.x", top: str = "", more: str = "") -> str:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return f"{HEAD}{top}\n{CLASS}{lines}\n{more}"


def refused(text: str) -> str:
    with pytest.raises(own.OwnError) as error:
        own.read(text, "blocks/b.py")
    assert all(line >= 1 and column >= 1 for line, column, _ in error.value.problems)
    return "; ".join(said for _, _, said in error.value.problems)


def test_what_a_class_declares() -> None:
    text = '''"""Blocks."""
from __future__ import annotations
from typing import Final
from scada.blocks.own import Input, Output, OwnBlock, Setting, State
LIMIT: Final = (1.0, -2.5)
class Level(OwnBlock):
    """Level of a tank.

    More.
    """

    on_bad = "run"
    PARTS = 3
    flow: float = Input("m3/h", low=0, high=50)
    open: bool = Input()
    area: float = Setting(2.5, "m2", low=0.1)
    name: str = Setting("x")
    level: float = Output("m", low=0, high=5, decimals=3, description="level")
    phase: int = Output(states=("Idle", "Filling"))
    volume: float = State(0.0)
    last: tuple[float, ...] = State((), retain=False)

    def step(self, dt: float) -> None:
        self.volume += self.flow * dt / 3600
        self.level = self.volume / self.area
        self.phase = self.PARTS - 2
'''
    found = own.read(text, "blocks/level.py")["Level"]
    assert (found.doc, found.on_bad, found.line, found.file) == (
        "Level of a tank.",
        "run",
        6,
        "blocks/level.py",
    )
    assert list(found.of("input")) == ["flow", "open"]
    assert found.members["flow"] == own.Member("input", "float", {"unit": "m3/h", "low": 0, "high": 50})
    assert found.members["phase"].args == {"states": ("Idle", "Filling")}
    assert found.members["last"] == own.Member("state", "tuple", {"default": (), "retain": False})
    own_load.module(text, "blocks/level.py")


@pytest.mark.parametrize(
    "body",
    [
        "self.out = math.exp(-dt / 5) * self.x ** 2",
        "values = [self.x, *range(3)]\nvalues.sort()\nself.out = sum(values) / len(values)",
        "try:\n    self.out = 1 / self.x\nexcept ZeroDivisionError:\n    self.out = 0.0",
        "for i, x in enumerate((1, 2)):\n    if x > 1:\n        continue\n    self.n += i\nself.out = float(self.n)",
        "table = {1: 2.0}\nself.out = table.get(self.n, 0.0) if self.good('x') else self.k",
        "self.out = max((abs(v) for v in (self.x, self.k)), key=lambda v: -v)",
        "n: int = 3\nself.out = float(n)",
        "if (y := self.x * 2) > 3:\n    raise ValueError(f'too much: {y:.2f}')\nself.out = y",
    ],
)
def test_what_is_allowed(body: str) -> None:
    own_load.module(source(body), "blocks/b.py")


FROZEN = "from dataclasses import dataclass\n@dataclass(frozen=True)\n"
HOSTILE = {
    # the world
    "import os": ("import os", "", "os is not for blocks"),
    "from os": ("from os import system", "", "os.system is not for blocks"),
    "import as": ("import math as m", "", "math is not for blocks"),
    "time": ("import time", "", "time is not for blocks"),
    "random": ("from random import random", "", "random.random is not for blocks"),
    "module of a module": ("from dataclasses import sys", "", "dataclasses.sys is not for blocks"),
    "star": ("from math import *", "", "math.* is not for blocks"),
    "relative": ("from . import own", "", "None.own is not for blocks"),
    "ours": ("from scada.blocks.base import Context", "", "is not for blocks"),
    "import inside": ("", "import os", "an import stands at the top"),
    "open": ("", "open('/etc/passwd')", "open is not for blocks: a block reads its inputs"),
    "print": ("", "print(self.x)", "print is not for blocks"),
    "exec": ("", "exec('1')", "exec is not for blocks: a block makes no code"),
    "eval": ("", "eval('1')", "eval is not for blocks"),
    "__import__": ("", "__import__('os')", "__import__ is not for blocks"),
    "aliased": ("", "f = open\nf('x')", "open is not for blocks"),
    "getattr": ("", "getattr(self, 'x')", "getattr is not for blocks"),
    "globals": ("", "globals()['n'] = 1", "globals is not for blocks"),
    "type": ("", "type(self).k = 3", "type is not for blocks"),
    "super": ("", "super().step(dt)", "super is not for blocks"),
    "breakpoint": ("", "breakpoint()", "breakpoint is not for blocks"),
    # the interpreter
    "class": ("", "self.__class__", "self.__class__ is not declared"),
    "subclasses": ("", "().__class__.__base__.__subclasses__()", ".__subclasses__ is not for blocks"),
    "globals of a function": ("", "self.step.__globals__", ".__globals__ is not for blocks"),
    "frame": ("", "(i for i in ()).gi_frame.f_builtins", ".f_builtins is not for blocks"),
    "traceback": ("", "try:\n    pass\nexcept ValueError as e:\n    e.__traceback__", ".__traceback__ is not for blocks"),
    "format": ("", "'{0.__class__}'.format(self.x)", ".format is not for blocks"),
    "loader": ("", "math.__loader__", "math.__loader__ is not for blocks"),
    "newer math": ("", "math.sumprod((1,), (2,))", "math.sumprod is not for blocks"),
    "builtins": ("", "__builtins__", "__builtins__ is not for blocks"),
    "own machinery": ("", "self._bad.clear()", "self._bad is not declared"),
    "decorator of a helper": ("@property\ndef f(a):\n    return a", "", "no decorator but staticmethod"),
    "dunder": ("", "pass\ndef __init__(self):\n    pass", "a function in a function"),
    "metaclass": ("class C(metaclass=type):\n    pass", "", "a class is a block"),
    "other base": ("class C(list):\n    pass", "", "a class is a block"),
    # what runs while the class is made
    "type of an argument": ("def f(a: open('x')):\n    return a", "", "write a plain type here"),
    "type of a result": ("def f() -> ().__class__:\n    return 1", "", "write a plain type here"),
    "type of a constant": ("N: [].append = 1", "", "write a plain type here"),
    "type of a local": ("", "n: ().__class__ = 1", "write a plain type here"),
    "type of a field": (f"{FROZEN}class P:\n    a: open('x')", "", "write a plain type here"),
    "decorator": ("from dataclasses import dataclass\n@dataclass(frozen=True, init=[].x)\nclass P:\n    a: int", "", "a class is a block"),
    "decorator at work": ("from dataclasses import dataclass", "dataclass(B)", "dataclass is for declarations only"),
    "declaration at work": ("", "State(0.0)", "State is for declarations only"),
    "the name of a frame": (f"{FROZEN}class P:\n    gi_frame: int", "(i for i in ()).gi_frame", "the name gi_frame is taken"),
    "the name of globals": (f"{FROZEN}class P:\n    def f_globals(self) -> int:\n        return 1", "", "the name f_globals is taken"),
    # state that is not declared
    "global": ("n = 0", "global n\nn = 1", "global changes what other blocks see"),
    "list at top": ("L = []", "L.append(1)", "a constant is made of numbers"),
    "dict at top": ("D = {}", "", "a constant is made of numbers"),
    "call at top": ("D = dict()", "", "a constant is made of numbers"),
    "default": ("def f(a=[]):\n    a.append(1)", "", "a constant is made of numbers"),
    "attribute of a function": ("def f():\n    return 1", "f.n = 3", ".n cannot be set here"),
    "attribute of the class": ("", "B.k = 3", ".k cannot be set here"),
    "attribute of a helper": ("from dataclasses import dataclass\n@dataclass\nclass P:\n    a: float", "", "a class is a block"),
    "not declared": ("", "self.m = 1", "self.m is not declared"),
    "input": ("", "self.x = 1", "self.x is an input and cannot be set"),
    "setting": ("", "self.k += 1", "self.k is a setting and cannot be set"),
    "self passed on": ("def f(b):\n    b.k = 3", "f(self)", "self is used with a name behind it only"),
    "alias of self": ("", "s = self\ns.x = 3", "self is used with a name behind it only"),
    "generator": ("def g():\n    yield 1", "", "a generator keeps hidden state"),
    "nested function": ("", "def f():\n    pass", "a function in a function"),
    "nonlocal": ("", "nonlocal dt", "nonlocal is hidden state"),
    "shadowing": ("", "math = 3", "the name math is taken"),
    "shadowed builtin": ("def len(x):\n    return 1", "", "the name len is taken"),
    # what differs from run to run, and what may not end
    "set": ("", "self.out = [x for x in {'a', 'b'}]", "a set has no fixed order"),
    "set()": ("", "set((1, 2))", "set is not for blocks: a set has no fixed order"),
    "hash": ("", "hash('a')", "hash is not for blocks: it differs from run to run"),
    "id": ("", "id(1)", "id is not for blocks"),
    "while": ("", "while True:\n    pass", "while may never end"),
    "async": ("async def f():\n    pass", "", "only imports, constants"),
    "huge power": ("", "10 ** 10 ** 10", "** takes a number up to 64"),
    "power of a name": ("", "10 ** self.n", "** takes a number up to 64"),
    "shift": ("", "1 << 10**9", "this operator is not used"),
    "bare except": ("", "try:\n    pass\nexcept:\n    pass", "name what is caught"),
    "base exception": ("", "try:\n    pass\nexcept BaseException:\n    pass", "BaseException is not for blocks"),
    "unknown": ("", "self.out = y", "unknown name y"),
    "bytes": ("", "self.out = b'x'", "a value is a number, a text"),
    "del": ("", "del self.n", "del is not used"),
    "with": ("", "with self.x:\n    pass", "with is for resources"),
    "statement at top": ("math.sin(1)", "", "only imports, constants, functions and classes"),
    "if at top": ("if True:\n    N = 1", "", "only imports, constants"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_refused(name: str) -> None:
    top, body, says = HOSTILE[name]
    assert says in refused(source(body or "self.out = self.x", top))


DECLARATIONS = {
    "y = Input()": "y needs its type",
    "y: int = Input()": "an input is one of float, bool",
    "y: list = State([])": "is one of float, int, bool, str, tuple[float, ...]",
    "y: float = State()": "a state begins with a value",
    "y: float = Setting('a')": "'a' is not a float",
    "y: float = Setting(1e999)": "inf is not a float",
    "y: int = State(2 ** 63)": "write the value itself here",
    "y: int = State(9223372036854775808)": "is not a int",
    "y: float = Input(K)": "write the value itself here",
    "y: float = Input(lows=3)": "an input takes unit, low, high, description",
    "y: float = Input(unit=3)": "unit is of another kind",
    "y: float = Input('m', 3)": "write it with its name",
    "y: float = Input(**K)": "an input takes",
    "Y: float = Input()": "'Y' is not a name for it",
    "mode: int = Output()": "'mode' is not a name for it",
    "good: float = Input()": "'good' is not a name for it",
    "x: float = Input()": "'x' is not a name for it",
    "y: float": "an attribute is an Input",
    "y = 3": "an attribute is an Input",
    "on_bad = 'panic'": "on_bad is one of hold, run",
    "K = [1]": "a constant is made of numbers",
    "class C: pass": "a block has declarations and functions",
    "x.y = 3": "an attribute is an Input",
}


@pytest.mark.parametrize("line", DECLARATIONS)
def test_declarations_that_are_refused(line: str) -> None:
    assert DECLARATIONS[line] in refused(source().replace("    n: int", f"    {line}\n    n: int"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no class that derives from OwnBlock"),
        ("def f(:", "not Python: "),
        ("x = '\0'", "not Python: "),
        (source("break"), "not Python: 'break' outside loop"),
        ("(" * 5000 + ")" * 5000, ""),
        ("#" * 70_000, "at most 65536 are read"),
        (f"{HEAD}class B(OwnBlock):\n    out: float = Output()\n", "B needs def step(self, dt: float)"),
        (f"{HEAD}class B(OwnBlock):\n    def step(self, dt): pass\n", "B has no output"),
        (f"{HEAD}class B(OwnBlock, int):\n    out: float = Output()\n    def step(self, dt): pass\n", "derives from OwnBlock alone"),
        (source().replace("dt: float)", "dt: float, *more)"), "name the arguments"),
        (source(more="    def f(a):\n        return a\n"), "its first argument is self"),
        (source(more="    def __f(self):\n        return 1\n"), "__f is Python's own"),
    ],
)  # fmt: skip
def test_files_that_are_refused(text: str, says: str) -> None:
    assert says in refused(text)


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = refused(source("while True:\n    self.y = 1\nwith self.x:\n    open('x')"))
    assert all(text in said for text in ("while may never", "self.y is not", "with is for", "open is not"))


def test_what_was_refused_is_not_executed_either() -> None:
    """Also when the source comes in a recording from somewhere else."""
    with pytest.raises(own.OwnError):
        own_load.load(source("open('x')"), "blocks/b.py", "B")


@pytest.mark.parametrize(
    "name", ["open", "exec", "eval", "__import__", "getattr", "type", "vars", "globals", "print"]
)
def test_the_namespace_does_not_have_it(name: str) -> None:
    """Even if a rule were missing: the code finds no such name, and imports nothing else."""
    space: dict[str, Any] = {"__builtins__": dict(own_load._BUILTINS)}
    if name == "__import__":
        with pytest.raises(ImportError):
            exec("import os", space)
        with pytest.raises(ImportError):
            exec("from dataclasses import sys", space)
    else:
        with pytest.raises(NameError):
            exec(name, space)


def test_sums_and_ranges_are_those_of_every_python() -> None:
    space: dict[str, Any] = {"__builtins__": dict(own_load._BUILTINS)}
    assert eval("sum([0.1] * 10)", space) == 0.9999999999999999  # 1.0 by the sum of CPython 3.12
    with pytest.raises(ValueError, match="at most 100000"):
        eval("range(10 ** 9)", space)


_WORDS = st.sampled_from(
    ["self", ".", "x", "n", "out", "=", "(", ")", "[", "]", "{", "}", ":", "\n        ", "open", "__class__", "import", "os",
     "lambda", "for", "in", "if", "else", "yield", "math", "sin", "f'{", "}'", "1", "+", "**", ",", "*", "@", "global", "B"]
)  # fmt: skip


@given(st.lists(_WORDS, max_size=12))
def test_whatever_is_read_is_refused_with_a_place_or_can_be_executed(words: list[str]) -> None:
    text = source(" ".join(words) or "pass")
    try:
        found = own.read(text, "blocks/b.py")
    except own.OwnError as error:
        places = error.problems
    else:
        places = [(1, 1, "")]
        assert list(found) == ["B"]
        own_load.module(text, "blocks/b.py")
    assert places
    assert "os" not in vars(sys.modules["scada.blocks.own"])


def test_types_are_never_evaluated() -> None:
    """Even if a rule were missing: nothing runs while the class is made."""
    text = source(
        top="def f(a: float) -> tuple[float, ...]:\n    return (a,)\n\n@dataclass(frozen=True)\nclass P:\n    a: tuple[float, ...] = (1.0,)\n\n    @staticmethod\n    def zero() -> float:\n        return 0.0\n"
    ).replace("import math", "import math\nfrom dataclasses import dataclass")
    _, classes = own_load.module(text, "blocks/b.py")
    assert classes["B"].step.__annotations__ == {"dt": "float", "return": "None"}
