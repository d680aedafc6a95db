"""What breaks an invariant, kept as a plant test in YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scada.planttest import texts
from scada.planttest.report import Outcome
from scada.planttest.search import FAIL, FIND, LOSE, MEND, MOVE, RESTART, Found
from tags.model import Tag
from tags.quality import GOOD, NAMES
from tags.site.plant_tests_compiled import Follow, Plant
from tags.types import FLOATS


def saved(tags: Mapping[str, Tag], outcomes: Sequence[Outcome], period_ns: int) -> str:
    """A file of tests of all invariants that were broken; "" when none was.

    Args:
        tags: Of the site, by path.
        outcomes: Of a run.
        period_ns: Of the scan, ns.
    """
    broken = [one for one in outcomes if isinstance(one, Found) and not one.passed]
    if not broken:
        return ""
    said = [
        "# Found by a search of invariants, and kept: they fail until what they show is mended.",
        "tests:",
    ]
    for found in broken:
        said += _test(tags, found, period_ns)
    return "\n".join(said) + "\n"


def _test(tags: Mapping[str, Tag], found: Found, period_ns: int) -> list[str]:
    invariant = found.invariant
    said = [
        f"  {_text(f'{invariant.name}, found with seed {found.seed}')}:",
        f"    description: {_text(f'Breaks {invariant.place.file}: {invariant.name}')}",
        *_plant(tags, invariant.plant),
    ]
    if found.moves:
        said.append("    steps:")
    failing: set[str] = set()
    for happened in found.moves:
        move, at = happened.move, f"at: {texts.time(happened.time_ns)}"
        if move.kind in (LOSE, FIND):
            said.append(
                f"      - {{{at}, devices: {{{move.path}: {'lost' if move.kind == LOSE else 'back'}}}}}"
            )
            continue
        if move.kind == RESTART:
            said.append(f"      - {{{at}, restart: control}}")
            continue
        tag = tags[move.path]
        if move.kind == MOVE and happened.over_ns:
            over = texts.time(happened.over_ns)
            said.append(
                f"      - {{{at}, ramp: {{{move.path}: {{to: {_value(tag, move.value)}, over: {over}}}}}}}"
            )
        elif move.kind == MOVE:
            held = _value(tag, move.value)
            if move.path in failing:
                held = f"{{value: {held}, quality: BadSensorFailure}}"
            said.append(f"      - {{{at}, set: {{{move.path}: {held}}}}}")
        elif move.kind in (FAIL, MEND):
            name = "BadSensorFailure" if move.kind == FAIL else "Good"
            failing = failing | {move.path} if move.kind == FAIL else failing - {move.path}
            said.append(f"      - {{{at}, set: {{{move.path}: {{quality: {name}}}}}}}")
        else:
            said.append(
                f"      - {{{at}, write: {{{move.path}: {_value(tag, move.value)}}}, role: {invariant.role}}}"
            )
    said.append(f"    until: {texts.time(found.broken_ns + period_ns)}")
    said += [f"    settle: {texts.time(invariant.settle_ns)}"] if invariant.settle_ns else []
    said += [f"    allow: {texts.time(invariant.allow_ns)}"] if invariant.allow_ns else []
    said.append(f"    always: {_text(invariant.check.subject)}")
    return said


def _plant(tags: Mapping[str, Tag], plant: Plant) -> list[str]:
    said = []
    if plant.simulated:
        said += ["    simulated: true", f"    seed: {plant.seed}"]
    if plant.start is not None:
        said.append(f"    start: {_text(plant.start)}")
    if plant.given:
        said.append("    given:")
    for series in plant.given:
        point = series.points[0]
        parts = [] if point.value is None else [f"value: {_value(tags[series.path], point.value)}"]
        parts += [] if point.status in (None, GOOD) else [f"quality: {NAMES[int(point.status or 0)]}"]
        said.append(f"      {series.path}: {{{', '.join(parts)}}}")
    if plant.follow:
        said.append("    follow:")
    said += [f"      {follow.path}: {{{', '.join(_follow(follow))}}}" for follow in plant.follow]
    return said


def _follow(follow: Follow) -> list[str]:
    parts = []
    for key in ("of", "rate"):
        formula = getattr(follow, key)
        if formula is not None:
            parts.append(f"{key}: {_text(formula.text)}")
    parts += [f"{key}: {path}" for key in ("start", "stop") if (path := getattr(follow, key)) is not None]
    parts += [f"time: {texts.time(follow.time_ns)}"] if follow.time_ns else []
    parts += [f"lag: {texts.time(follow.lag_ns)}"] if follow.lag_ns else []
    return parts


def _value(tag: Tag, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if tag.states:
        return _text(tag.states.get(str(int(value)), str(value)))
    number = repr(float(value)) if tag.type in FLOATS else str(value)
    return _text(f"{number} {tag.unit}") if tag.unit else number


def _text(text: str) -> str:
    """A text that YAML reads as it is: JSON strings are YAML."""
    return json.dumps(text, ensure_ascii=False)
