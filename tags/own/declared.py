"""What the source of an own block declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class OwnError(ValueError):
    """A source that is no block.

    Attributes:
        problems: (line, column, what is wrong and what to do), line and column from 1.
    """

    def __init__(self, problems: list[tuple[int, int, str]]) -> None:
        super().__init__("; ".join(f"line {line}: {text}" for line, _, text in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Member:
    """One declared attribute.

    Attributes:
        kind: `input`, `output`, `setting` or `state`.
        type: `float`, `int`, `bool`, `str`, or `tuple` (a state).
        args: What is written in its declaration: `default`, `unit`, `low`, `high`, `decimals`, `states`, `description`,
            `retain`.
    """

    kind: str
    type: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Own:
    """One class of blocks.

    Attributes:
        name: Of the class.
        file: Relative to the site folder.
        line: Where the class begins.
        source: Of the whole file.
        doc: First line of its docstring.
        on_bad: `hold` (no step while an input is not usable) or `run`.
        members: By name, in their order.
    """

    name: str
    file: str
    line: int
    source: str
    doc: str
    on_bad: str
    members: dict[str, Member]

    def of(self, kind: str) -> dict[str, Member]:
        """Its inputs, outputs, settings or states."""
        return {name: member for name, member in self.members.items() if member.kind == kind}


def fits(value: object, type_: str) -> bool:
    """True when a value is of a declared type: finite, a whole number of 64 bits, a short text, a tuple of such."""
    if type_ == "bool":
        return isinstance(value, bool)
    if type_ == "str":
        return isinstance(value, str) and len(value) <= 255
    if type_ == "tuple":
        return (
            isinstance(value, tuple)
            and len(value) <= 10_000
            and all(fits(one, "bool" if isinstance(one, bool) else "float") for one in value)
        )
    if isinstance(value, bool) or not isinstance(value, int if type_ == "int" else int | float):
        return False
    return -(2**63) <= value < 2**63 if isinstance(value, int) else value - value == 0.0


def a(kind: str) -> str:
    """A word with its article: `an input`, `a state`."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
