"""Own blocks tried out before they run: does the same follow from the same, does a step raise, does it end?

Each block of a site makes some hundred steps with inputs of their ranges, ends and zero among them. Beside it two others
make the same steps: one that is made anew for each step from its kept state alone, and one from a source that was
executed anew. What differs keeps something that it does not declare, or reads something that is no input.

No clock decides what is too long: the lines that a step executes are counted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from scada.blocks import own_load
from scada.blocks.own import OwnBlock
from tags.model import Block, Site
from tags.own import Own, OwnError
from tags.site.problems import Problem, SiteError

STEPS: Final = 200
LINES_MAX: Final = 20_000
_RANGE: Final = (-100.0, 100.0)
_ZERO: Final[dict[str, Any]] = {"float": 0.0, "int": 0, "bool": False}


class TooLongError(BaseException):
    """A step executes more lines than a scan has time for; no `except` of a block catches it."""


def check(site: Site) -> None:
    """Ends here when an own block of a site does not pass.

    Args:
        site: Compiled.

    Raises:
        tags.site.SiteError: With all that is wrong.
    """
    found = problems(site)
    if found:
        raise SiteError(found)


def problems(site: Site) -> list[Problem]:
    """What is wrong with the own blocks of a site, in order of the blocks.

    Args:
        site: Compiled.
    """
    found: dict[Problem, None] = {}
    tried: set[str] = set()
    for block in site.blocks:
        if block.type != "own":
            continue
        c = block.config
        ranges = {name: one.get("range") for name, one in c["inputs"].items()}
        alike = repr((c["file"], c["class"], c["source"], c["settings"], ranges))
        if alike not in tried:  # a hundred pumps of one kind are one trial
            tried.add(alike)
            found.update(dict.fromkeys(_trial(block, site.scan_ns)))
    return sorted(found)


def _trial(block: Block, scan_ns: int) -> Iterator[Problem]:
    c = block.config
    file = str(c["file"])
    try:
        declared, cls = own_load.load(c["source"], file, c["class"])
        again = own_load.module(c["source"], file)[1][declared.name]
    except OwnError as error:
        yield from (Problem(file, line, column, text) for line, column, text in error.problems)
        return
    except (ValueError, NameError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        line, text = own_load.problem_of(error, file)
        yield Problem(file, max(line, 1), 1, f"the file cannot be executed: {text}. Correct it.")
        return
    settings = dict(c["settings"])
    one, other = _Runner(declared, cls, settings), _Runner(declared, again, settings)
    fresh = _Runner(declared, cls, settings, anew=True)
    with _counted(file) as begin:
        for inputs, good, dt in _series(declared, c["inputs"], scan_ns * 1e-9):
            results = []
            for runner in (one, fresh, other):
                begin()
                try:
                    results.append(runner.step(inputs, good, dt))
                except TooLongError:
                    text = f"a step executes more than {LINES_MAX} lines. Do less in one step."
                    yield Problem(file, declared.line, 1, f"{declared.name}: {text}")
                    return
                except Exception as error:  # noqa: BLE001 - whatever it raises is what we look for
                    yield _raised(declared, error, inputs)
                    return
            if repr(results[0]) != repr(results[1]) or repr(results[0]) != repr(results[2]):
                text = "the same inputs and states gave other results. Keep what it remembers in States only."
                yield Problem(file, declared.line, 1, f"{declared.name}: {text}")
                return


def _raised(declared: Own, error: Exception, inputs: Mapping[str, Any]) -> Problem:
    line, text = own_load.problem_of(error, declared.file)
    given = ", ".join(f"{name} = {value:g}" for name, value in inputs.items())
    say = f"{declared.name}: step raises {text}{f' with {given}' if given else ''}. Say what it does then."
    return Problem(declared.file, line or declared.line, 1, say)


class _Runner:
    """One block and its states outside of it, as the scan has them."""

    def __init__(
        self, declared: Own, cls: type[OwnBlock], settings: Mapping[str, Any], *, anew: bool = False
    ) -> None:
        self._declared, self._cls, self._settings, self._anew = declared, cls, settings, anew
        self._block = cls(**settings)
        self._state = {name: one.args["default"] for name, one in declared.of("state").items()}
        self._out = {name: _ZERO[one.type] for name, one in declared.of("output").items()}

    def step(self, inputs: Mapping[str, Any], good: Sequence[str], dt: float) -> tuple[Any, ...]:
        """Outputs and states after one step."""
        if self._anew:
            self._block = self._cls(**self._settings)
            kept = json.loads(json.dumps(self._state))
            self._state = {name: own_load.plain(value) for name, value in kept.items()}
        block = self._block
        for name, value in {**inputs, **self._state, **self._out}.items():
            setattr(block, name, value)
        block._bad = {name for name in inputs if name not in good}  # noqa: SLF001 - what the scan does
        own_load.begin()
        block.step(dt)
        self._state = {n: self._taken(n, one) for n, one in self._declared.of("state").items()}
        self._out = {n: self._taken(n, one) for n, one in self._declared.of("output").items()}
        return tuple(self._state.values()), tuple(self._out.values())

    def _taken(self, name: str, member: Any) -> Any:
        try:
            return own_load.changed(getattr(self._block, name), member)
        except TypeError as error:
            raise TypeError(f"{name} = {error}") from None


def _series(
    declared: Own, configs: Mapping[str, Any], period_s: float
) -> Iterator[tuple[dict[str, Any], list[str], float]]:
    """Inputs, usable inputs and dt of each step: always the same ones."""
    seed = 20_261_122

    def roll() -> int:
        nonlocal seed
        seed = (seed * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
        return seed >> 33

    wanted = declared.of("input")
    for number in range(STEPS):
        inputs: dict[str, Any] = {}
        for name, member in wanted.items():
            low, high = (configs.get(name) or {}).get("range") or _RANGE
            choice = roll() % 8 if number else 7
            if member.type == "bool":
                inputs[name] = bool(choice & 1)
            elif choice < 3:
                inputs[name] = (low, high, min(max(0.0, low), high))[choice]
            else:
                inputs[name] = low + (high - low) * (roll() % 10_001) / 10_000
        good = [name for name in wanted if declared.on_bad == "hold" or not number or roll() % 5]
        yield inputs, good, period_s * (1 + 2 * (roll() % 5 == 0))


@contextmanager
def _counted(file: str) -> Iterator[Callable[[], None]]:
    """Counts the lines of a file as they are executed; what it gives begins a new count."""
    count = 0
    before = sys.gettrace()

    def begin() -> None:
        nonlocal count
        count = 0

    def line(_frame: Any, event: str, _: Any) -> Any:
        nonlocal count
        if event == "line":
            count += 1
            if count > LINES_MAX:
                raise TooLongError
        return line

    def call(frame: Any, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename == file:
            return line(frame, event, argument)
        return None

    sys.settrace(call)
    try:
        yield begin
    finally:
        sys.settrace(before)
