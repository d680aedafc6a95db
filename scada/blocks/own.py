"""Blocks of one's own in Python: what a file in the site folder's `blocks/` derives from.

    from scada.blocks.own import Input, Output, OwnBlock, Setting, State


    class Blend(OwnBlock):
        \"\"\"Mixed temperature of two flows, filtered.\"\"\"

        hot: float = Input("degC")
        cold: float = Input("degC")
        share: float = Setting(0.5, low=0, high=1)
        mixed: float = Output("degC")
        last: float = State(0.0)

        def step(self, dt: float) -> None:
            now = self.share * self.hot + (1 - self.share) * self.cold
            self.last += (now - self.last) * min(dt / 10.0, 1.0)
            self.mixed = self.last

A block is pure by contract: what it does follows from inputs, settings, state and `dt` alone. `scada check` reads the source
(`tags.own` has the rules) and runs it twice. Import nothing but `math`, `dataclasses`, `typing` and this module.

The class can be tried in any test: make one, set its inputs, call `step`, look at its outputs.
"""

# ruff: noqa: N802 - declarations read like types
from __future__ import annotations

from typing import Any, ClassVar, Final

__all__ = ["Input", "Output", "OwnBlock", "Setting", "State"]

_ZERO: Final[dict[str, Any]] = {"float": 0.0, "int": 0, "bool": False}


class _Declared:
    """What a class attribute declares; instances of the block have plain values in its place."""

    def __init__(self, kind: str, default: Any) -> None:
        self.kind, self.default = kind, default


def Input(
    unit: str | None = None, *, low: float | None = None, high: float | None = None, description: str = ""
) -> Any:
    """A value that the block reads, `float` or `bool`; an expression of tags in the site.

    Args:
        unit: That the block computes in; what comes is converted.
        low: Least value to expect, in `unit`: what `scada check` tries.
        high: Largest.
        description: For people.
    """
    del unit, low, high, description
    return _Declared("input", None)


def Output(
    unit: str | None = None,
    *,
    low: float | None = None,
    high: float | None = None,
    decimals: int = 2,
    states: tuple[str, ...] = (),
    description: str = "",
) -> Any:
    """A value that the block makes, `float`, `int` or `bool`: its point `<block>/<NAME>`; it may drive a tag.

    Args:
        unit: Of the value.
        low: Of its range.
        high: Of its range.
        decimals: On screens.
        states: Texts of an `int` from 0, or of a `bool`.
        description: For people.
    """
    del unit, low, high, decimals, states, description
    return _Declared("output", None)


def Setting(
    default: Any,
    unit: str | None = None,
    *,
    low: float | None = None,
    high: float | None = None,
    description: str = "",
) -> Any:
    """A value that the site may set, `float`, `int`, `bool` or `str`; it never changes while the block runs.

    Args:
        default: Where the site says nothing.
        unit: That the block computes in.
        low: Least value that the site may set.
        high: Largest.
        description: For people.
    """
    del unit, low, high, description
    return _Declared("setting", default)


def State(default: Any, *, retain: bool = True) -> Any:
    """What the block remembers from step to step: `float`, `int`, `bool`, `str` or `tuple[float, ...]`.

    Args:
        default: At the very first start.
        retain: It survives a restart.
    """
    del retain
    return _Declared("state", default)


class OwnBlock:
    """One block. Declare inputs, outputs, settings and states in the class, and write `step`.

    Args:
        values: Settings and states that differ from their defaults.

    Attributes:
        on_bad: What happens while an input is Bad or stale. `hold`: no step, outputs keep their values with the input's
            quality. `run`: steps go on with the last usable values; ask `good(name)`.
    """

    on_bad: ClassVar[str] = "hold"

    def __init__(self, **values: Any) -> None:
        self._bad: set[str] = set()
        self._stale: set[str] = set()
        self._applied: dict[str, Any] = {}
        self._tracking: set[str] = set()
        for name, one in vars(type(self)).items():
            if isinstance(one, _Declared):
                kind = type(self).__annotations__[name]
                annotation = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
                default = _ZERO.get(annotation, 0.0) if one.default is None else one.default
                setattr(self, name, values.pop(name, default))
        if values:
            raise TypeError(f"{type(self).__name__} declares no {', '.join(values)}")

    def step(self, dt: float) -> None:
        """Runs once in each scan (or period of its task), after its inputs were set.

        Args:
            dt: Since the last step, s; missed scans are in it.
        """
        raise NotImplementedError

    def good(self, name: str) -> bool:
        """True when an input is usable in this step; False: it has its last usable value."""
        return name not in self._bad

    def fresh(self, name: str) -> bool:
        """True when an input has a new sample in this step."""
        return name not in self._stale

    def applied(self, name: str) -> Any:
        """What came of an output that drives a tag: the command as it stands; None while nothing is known."""
        return self._applied.get(name)

    def tracking(self, name: str) -> bool:
        """True while an output that drives a tag is not this block's: Manual, Local, disarmed, an interlock or a force."""
        return name in self._tracking
