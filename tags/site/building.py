"""What is known of a site while it is compiled: tags by path, their places, helpers for quantities and names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tags import expression, units
from tags.model import ALARM, Alarm, Tag
from tags.own import Own
from tags.site.fields import Pair, Quantity, RateValue
from tags.site.models import Defaults
from tags.site.problems import Place, Problems
from tags.site.sources import Loc, Source
from tags.types import BOOL, STRING, Value, coerce

PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.\-]*)+")
PATH_LENGTH_MAX: Final = 200
RESERVED_AREA: Final = "system"
RESERVED_POINT: Final = "command"


def sentence(text: object) -> str:
    """With a full stop, if nothing ends it yet."""
    return str(text) if str(text).endswith((".", "?")) else f"{text}."


def a(type_: str) -> str:
    """A type with its article: `an int16`, `a bool`."""
    return f"{'an' if type_.startswith('int') else 'a'} {type_}"


def of_people(alarm: Tag) -> str:
    """Why nothing in the plant is decided by the tag of an alarm."""
    return f"{alarm.path} is an alarm, which people acknowledge, shelve and disable. Use what it watches instead."


def _paths(node: expression.Node) -> Iterator[expression.Node]:
    """Where an expression reads tags."""
    if node.op == "path":
        yield node
    for part in node.args:
        yield from _paths(part)


@dataclass(slots=True)
class Building:
    """A site in the making.

    Attributes:
        problems: Takes what is wrong.
        defaults: The site's.
        tags: By path.
        sources: Where each tag, block, device … is written, by path or name.
        folded: Path by case-folded path.
        alarms: In any order.
        displays: Names of all displays.
        own: Classes of blocks in Python, by name.
        own_broken: A file of them could not be read.
        root: The site's folder, or None when there is none at hand.
    """

    problems: Problems
    defaults: Defaults
    tags: dict[str, Tag] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    folded: dict[str, str] = field(default_factory=dict)
    alarms: list[Alarm] = field(default_factory=list)
    displays: set[str] = field(default_factory=set)
    own: dict[str, Own] = field(default_factory=dict)
    own_broken: bool = False
    root: Path | None = None

    def add(self, tag: Tag, source: Source | None) -> bool:
        """Takes a tag, or reports that its path is taken."""
        fold = tag.path.casefold()
        if fold in self.folded:
            other = self.folded[fold]
            place = source.place() if source else Place("")
            where = self.sources[other].place() if other in self.sources else "made by the system"
            same = "" if other == tag.path else f" as {other}"
            self.problems.add(
                place,
                f"{tag.path} is there twice, first{same} at {where}. Rename one; upper and lower case count as equal.",
            )
            return False
        self.folded[fold] = tag.path
        self.tags[tag.path] = tag
        if source is not None:
            self.sources[tag.path] = source
        return True

    def check_path(self, path: str, place: Place) -> bool:
        """True when a path may be used for a tag or block."""
        if not PATH.fullmatch(path) or len(path) > PATH_LENGTH_MAX:
            self.problems.add(
                place,
                f"{path!r} is not a path. Write area/unit/point: letters, digits, '_', '-', '.', at least one '/',"
                f" a letter first, at most {PATH_LENGTH_MAX} characters.",
            )
            return False
        first, last = path.partition("/")[0].casefold(), path.rpartition("/")[2].casefold()
        if first == RESERVED_AREA or last == RESERVED_POINT:
            self.problems.add(
                place, f"{path}: 'system/…' and '…/command' are made by the program. Choose another name."
            )
            return False
        return True


@dataclass(frozen=True, slots=True)
class Scope:
    """One thing being compiled: where it is written, how it is named in messages.

    Attributes:
        build: The site.
        source: Places.
        subject: Named in front of each message.
    """

    build: Building
    source: Source
    subject: str

    def report(self, loc: Loc, message: str, *, key: bool = False) -> None:
        """Reports a problem at a place in this thing."""
        self.build.problems.add(self.source.place(loc, key=key), f"{self.subject}: {message}")

    def tag(self, loc: Loc, path: str) -> Tag | None:
        """A tag by its path, or None with the problem reported."""
        found = self.build.tags.get(path)
        if found is None:
            hint = units.did_you_mean(path, self.build.tags) or ". Write it under tags:, or correct the path."
            self.report(loc, f"unknown tag {path!r}{hint}")
        return found

    def build_unit(self, loc: Loc, symbol: str) -> str | None:
        """The canonical symbol of a unit, or None with the problem reported."""
        try:
            return units.find(symbol).symbol
        except units.UnitError as error:
            hint = "" if str(error).endswith("?") else ". See the table of units in the manual."
            self.report(loc, f"{error}{hint}")
            return None

    def measure(self, loc: Loc, quantity: Quantity, unit: str | None) -> float | None:
        """A quantity in a unit; a bare number is taken to be in it already."""
        if quantity.unit is None:
            return quantity.value
        if unit is None:
            self.report(
                loc,
                f"{quantity.value:g} {quantity.unit}, but the tag has no unit. Give it one, or write {quantity.value:g}.",
            )
            return None
        try:
            return units.convert(quantity.value, quantity.unit, unit)
        except units.UnitError as error:
            self.report(loc, f"{error}. Write it in {unit}.")
            return None

    def pair(self, loc: Loc, pair: Pair | None, unit: str | None) -> tuple[float, float] | None:
        """Limits in a unit."""
        if pair is None:
            return None
        low, high = self.measure(loc, pair.low, unit), self.measure(loc, pair.high, unit)
        return None if low is None or high is None else (low, high)

    def difference(
        self, loc: Loc, quantity: Quantity, unit: str | None, span: float | None, *, needed: bool = True
    ) -> float:
        """A dead band or tolerance in a unit; `%` is of the range.

        Args:
            loc: Where it is written.
            quantity: As written.
            unit: Of the tag.
            span: Width of the tag's range, or None.
            needed: A percentage without a range is a problem; else it counts as 0.
        """
        if quantity.value < 0:
            self.report(loc, f"{quantity.value:g} is negative. Write how large a difference may be.")
            return 0.0
        if quantity.unit == "%":
            if span is None and unit == "%":
                return quantity.value
            if span is None and needed:
                self.report(loc, "% of what? Give the tag a range:, or write it in the tag's unit.")
            return quantity.value / 100.0 * (span or 0.0)
        if quantity.unit is None:
            return quantity.value
        if unit is None:
            self.report(
                loc, f"{quantity.unit}, but the tag has no unit. Write a bare number, or give it a unit."
            )
            return 0.0
        try:
            return units.convert_difference(quantity.value, quantity.unit, unit)
        except units.UnitError as error:
            self.report(loc, f"{error}. Write it in {unit} or %.")
            return 0.0

    def rate(self, loc: Loc, rate: RateValue | None, unit: str | None, span: float | None) -> float:
        """A speed of change in units per second; 0 for none."""
        if rate is None:
            return 0.0
        return self.difference(loc, Quantity(rate.value, rate.unit), unit, span)

    def value(self, loc: Loc, data: Any, tag: Tag) -> Value | None:
        """A value as the tag's type has it: a number with or without unit, a state's text, true or false.

        None with a problem when it does not fit the type, the limits or the range.
        """
        if tag.type == STRING:
            return self._coerced(loc, data, tag)
        if isinstance(data, str):
            by_text = {text.casefold(): int(number) for number, text in tag.states.items()}
            if data.casefold() in by_text:
                return self._coerced(loc, by_text[data.casefold()], tag)
            if tag.states and not any(c.isdigit() for c in data):
                hint = (
                    units.did_you_mean(data, tag.states.values())
                    or f". States are {', '.join(tag.states.values())}."
                )
                self.report(loc, f"{data!r} is not a state of {tag.path}{hint}")
                return None
            try:
                data = self.measure(loc, Quantity(*units.quantity(data)), tag.unit)
            except units.UnitError as error:
                self.report(loc, f"{error}.")
                return None
        if data is None:
            return None
        if tag.type != BOOL and isinstance(data, bool):
            self.report(loc, f"{str(data).lower()} is no value of {tag.path}, {a(tag.type)}. Write a number.")
            return None
        if tag.type == BOOL and not isinstance(data, bool) and data not in (0, 1):
            self.report(loc, f"{data!r} is no value of {tag.path}, a bool. Write true or false.")
            return None
        limits = tag.limits or tag.range
        if limits is not None and not limits[0] <= data <= limits[1]:
            self.report(
                loc, f"{data:g} is outside {limits[0]:g} … {limits[1]:g} of {tag.path}. Write a value inside."
            )
            return None
        return self._coerced(loc, data, tag)

    def _coerced(self, loc: Loc, data: Any, tag: Tag) -> Value | None:
        try:
            return coerce(tag.type, data)
        except ValueError as error:
            self.report(loc, f"{error}. {tag.path} is {a(tag.type)}.")
            return None

    def expression(self, loc: Loc, text: str) -> expression.Expression | None:
        """A parsed expression, or None with the problem reported."""
        try:
            return expression.parse(text)
        except expression.ExpressionError as error:
            self._in_text(loc, text, error.column, sentence(error))
            return None

    def checked(
        self, loc: Loc, text: str | None, wanted: str = "bool", *, alarms: bool = False
    ) -> str | None:
        """An expression whose tags, types and units are right, or None with the problems reported.

        Args:
            loc: Where it is written.
            text: The expression.
            wanted: `bool`, `number` or "" for either.
            alarms: It may read the tags of alarms: it decides nothing in the plant.
        """
        parsed = None if text is None or self.build.problems.full else self.expression(loc, text)
        if parsed is None or text is None:
            return None
        found = expression.problems(parsed, self.build.tags)
        if not alarms:
            found += [
                (node.column, of_people(tag))
                for node in _paths(parsed.tree)
                if (tag := self.build.tags.get(str(node.value))) is not None and tag.kind == ALARM
            ]
        for column, message in found:
            lost = message.startswith("unknown tag") and not message.endswith("?")
            self._in_text(loc, text, column, f"{message}. Correct the path." if lost else sentence(message))
        if not found and wanted and expression.type_of(parsed, self.build.tags) != wanted:
            kind = "a condition (true or false)" if wanted == "bool" else "a number"
            self.report(loc, f"{text!r} is not {kind}. Compare it with something, or correct it.")
            return None
        return None if found else text

    def _in_text(self, loc: Loc, text: str, column: int, message: str) -> None:
        """Reports inside an expression; the column is exact when it stands plain in one line."""
        place = self.source.place(loc)
        one_line = "\n" not in text
        self.build.problems.add(place.behind(column - 1) if one_line else place, f"{self.subject}: {message}")
