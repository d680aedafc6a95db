"""The steps of a plant test: what happens at a time, and what is then so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tags import quality
from tags.model import ALARM, Site, Tag
from tags.site import plant_tests_models as models
from tags.site.building import Scope
from tags.site.plant_tests_compiled import Ask, Check, Point, Series, Step
from tags.site.sources import Loc
from tags.types import BOOL, STRING, Value
from tags.units import did_you_mean

_CODES: Final = {name: code for code, name in quality.NAMES.items()}
_KINDS: Final = ("Good", "Uncertain", "Bad")
_EVENT_KINDS: Final = (
    "alarm", "request", "force", "bypass", "block", "motor", "interlock", "cause", "mode", "frost", "schedule",
    "totaliser",
)  # fmt: skip
Held = Callable[[Loc, str], Tag | None]


def value(scope: Scope, loc: Loc, data: Any, tag: Tag) -> Value | None:
    """A value as the tag's type has it; outside of its range and limits too: plants and people do that."""
    return scope.value(loc, data, replace(tag, limits=None, range=None))


def status(scope: Scope, loc: Loc, name: str | None) -> int | None:
    """The status of a name, or None."""
    if name is None:
        return None
    if name not in _CODES:
        scope.report(
            loc,
            f"unknown quality {name!r}{did_you_mean(name, _CODES) or '. Write for example BadSensorFailure.'}",
        )
    return _CODES.get(name)


def point(scope: Scope, loc: Loc, time_ns: int, given: models.Given, tag: Tag) -> Point:
    """What a device holds from a time on."""
    if given.value is None and given.quality is None:
        scope.report(loc, f"{tag.path} has neither a value nor a quality. Write one.", key=True)
    held = value(scope, loc, given.value, tag)
    code = status(scope, (*loc, "quality"), given.quality)
    return Point(time_ns, held, quality.GOOD if code is None and held is not None else code)


def condition(scope: Scope, loc: Loc, text: str) -> Check | None:
    """A condition that is to be true, or None with its problems reported."""
    if scope.checked(loc, text, alarms=True) is None:
        return None
    parsed = scope.expression(loc, text)
    return Check(scope.source.place(loc), "condition", " ".join(text.split()), expression=parsed)


def begin(scope: Scope, series: tuple[Series, ...]) -> tuple[Step, ...]:
    """The step at 0 that begins the series of a test, if there are any."""
    return (Step(0, scope.source.place(), series=series),) if series else ()


class Steps:
    """The steps of one test in the making.

    Args:
        scope: Of the test.
        held: Gives a tag whose value a test may give, or reports.

    Attributes:
        made: In order of time.
    """

    def __init__(self, scope: Scope, held: Held) -> None:
        self._scope, self._held = scope, held
        self.made: list[Step] = []
        self._time_ns = 0

    def series(self, loc: Loc, tag: Tag, model: models.Series) -> Series:
        """A series over time; straight lines are for measured numbers only."""
        scope = self._scope
        points: list[Point] = []
        for number, row in enumerate(model.points):
            where = (
                (*loc, "points", number)
                if scope.source.place((*loc, "points")) != scope.source.place(loc)
                else (*loc, number)
            )
            time_ns = self._duration(where, row[0])
            if points and time_ns < points[-1].time_ns:
                scope.report(where, f"{row[0]} is before the point above. Write them in order of time.")
            name = row[2] if len(row) > 2 else None
            if name is not None and not isinstance(name, str):
                scope.report(where, f"{name!r} is not a quality. Write for example BadSensorFailure.")
                name = None
            given = models.Given(value=row[1], quality=name)
            points.append(Point(time_ns, value(scope, where, given.value, tag), status(scope, where, name)))
        return Series(tag.path, tuple(points), step=model.step or tag.type in (BOOL, STRING))

    def _duration(self, loc: Loc, data: Any) -> int:
        from tags import units  # noqa: PLC0415 - the only use here

        try:
            return units.duration_ns(data)
        except units.UnitError as error:
            self._scope.report(loc, f"{error}.")
            return 0

    def step(self, loc: Loc, model: models.Step, simulated: set[str], site: Site) -> None:
        """Adds one step."""
        scope = self._scope
        if (model.at is None) == (model.after is None):
            scope.report(
                loc, "a step says when: at: since the first scan, or after: the step before. Write one."
            )
        time_ns = model.at if model.at is not None else self._time_ns + (model.after or 0)
        if time_ns < self._time_ns:
            scope.report((*loc, "at"), "this is before the step above. Write the steps in order of time.")
        self._time_ns = time_ns
        series = []
        for path, given in model.set.items():
            tag = self._held((*loc, "set", path), path)
            if tag is not None:
                series.append(
                    Series(path, (point(scope, (*loc, "set", path), time_ns, given, tag),), step=True)
                )
        for path, ramp in model.ramp.items():
            tag = self._held((*loc, "ramp", path), path)
            if tag is not None and tag.type in (BOOL, STRING):
                scope.report((*loc, "ramp", path), f"{path} is not a number. Use set:.", key=True)
            elif tag is not None:
                to = value(scope, (*loc, "ramp", path, "to"), ramp.to, tag)
                series.append(Series(path, (Point(time_ns, None), Point(time_ns + ramp.over, to))))
        names = [device.name for device in site.devices]
        for device in [*model.devices, *model.inject]:
            if device not in names:
                hint = did_you_mean(device, names) or f". There are {', '.join(names)}."
                key = "devices" if device in model.devices else "inject"
                scope.report((*loc, key, device), f"unknown device {device!r}{hint}", key=True)
        for device in model.inject:
            if device in names and device not in simulated:
                text = f"{device} is not simulated in this test. Write simulated: true, or use set:."
                scope.report((*loc, "inject", device), text, key=True)
        asks = self._asks(loc, model)
        checks = self._checks(loc, model)
        if (model.outcome or model.because) and len(asks) != 1:
            scope.report(
                loc,
                "outcome: and because: are about one request. Write one write:, acknowledge:, force: or bypass: with them.",
            )
        if not checks and (model.within or model.for_):
            scope.report(
                loc,
                "within: and for: are about expect:, check:, alarms:, events: or outcome:. Write one of them.",
            )
        self.made.append(
            Step(
                time_ns,
                scope.source.place(loc),
                series=tuple(series),
                asks=tuple(asks),
                devices={name: text == "back" for name, text in model.devices.items()},
                inject=dict(model.inject),
                restart=model.restart,
                checks=tuple(checks),
                within_ns=model.within,
                for_ns=model.for_,
            )
        )

    def _asks(self, loc: Loc, model: models.Step) -> list[Ask]:
        scope = self._scope
        who: dict[str, Any] = {"role": model.role, "user": model.user, "reason": model.reason}
        asks = []
        writes = []
        for path, data in model.write.items():
            tag = scope.tag((*loc, "write", path), path)
            if tag is not None:
                writes.append((path, value(scope, (*loc, "write", path), data, tag)))
        if writes:
            asks.append(Ask("write", tuple(writes), **who))
        for number, path in enumerate(model.acknowledge):
            self._alarm((*loc, "acknowledge", number), path)
        if model.acknowledge:
            asks.append(Ask("acknowledge", tuple((path, None) for path in model.acknowledge), **who))
        for path, force in model.force.items():
            tag = scope.tag((*loc, "force", path), path)
            if tag is not None:
                held = value(scope, (*loc, "force", path, "value"), force.value, tag)
                asks.append(Ask("force", ((path, held),), **who, for_ns=force.for_))
        if model.unforce:
            asks.append(Ask("unforce", tuple((path, None) for path in model.unforce), **who))
        for path, for_ns in model.bypass.items():
            self._protection((*loc, "bypass", path), path)
            asks.append(Ask("bypass", ((path, None),), **who, for_ns=for_ns))
        for number, path in enumerate(model.unbypass):
            self._protection((*loc, "unbypass", number), path)
        if model.unbypass:
            asks.append(Ask("unbypass", tuple((path, None) for path in model.unbypass), **who))
        return asks

    def _protection(self, loc: Loc, path: str) -> None:
        tags = self._scope.build.tags
        if path not in tags and f"{path}/BYPASSED" not in tags:
            known = [tag.removesuffix("/BYPASSED") for tag in tags if tag.endswith("/BYPASSED")]
            hint = did_you_mean(path, known) or ". Name an interlock that the site allows to bypass."
            self._scope.report(loc, f"nothing to bypass is called {path!r}{hint}", key=True)

    def _alarm(self, loc: Loc, path: str) -> bool:
        tag = self._scope.tag(loc, path)
        if tag is not None and tag.kind != ALARM:
            self._scope.report(loc, f"{path} is no alarm. Name one, such as tank1/LT-101/HH.", key=True)
        return tag is not None and tag.kind == ALARM

    def _checks(self, loc: Loc, model: models.Step) -> list[Check]:
        scope = self._scope
        checks = []
        for path, expected in model.expect.items():
            where: Loc = (*loc, "expect", path)
            tag = scope.tag(where, path)
            if tag is not None:
                checks.append(self._expected(where, tag, expected))
        for number, text in enumerate(model.check):
            listed = (*loc, "check", number)
            found = condition(scope, listed, text)
            if found is not None:
                checks.append(found)
        for path, state in model.alarms.items():
            where = (*loc, "alarms", path)
            if self._alarm(where, path):
                checks.append(Check(scope.source.place(where, key=True), "alarm", path, value=state))
        for number, fields in enumerate(model.events):
            where = (*loc, "events", number)
            if fields.get("kind") not in _EVENT_KINDS:
                scope.report(
                    where, f"an event has a kind: {', '.join(_EVENT_KINDS)}. Write kind: and one of them."
                )
            checks.append(
                Check(scope.source.place(where), "event", str(fields.get("kind")), fields=dict(fields))
            )
        if model.outcome or model.because:
            key = "outcome" if model.outcome else "because"
            place = scope.source.place((*loc, key))
            checks.append(Check(place, "outcome", "the request", value=model.outcome, quality=model.because))
        return checks

    def _expected(self, loc: Loc, tag: Tag, model: models.Expected) -> Check:
        scope, place = self._scope, self._scope.source.place(loc, key=True)
        name = model.quality
        if name is not None and name not in _KINDS:
            status(scope, (*loc, "quality"), name)
        wanted = value(scope, loc, model.value, tag)
        number = tag.type not in (BOOL, STRING)
        low = high = None
        strict = False
        for key in ("tolerance", "above", "below"):
            if getattr(model, key) is not None and not number:
                scope.report((*loc, key), f"{tag.path} is not a number. Leave {key}: out.", key=True)
        if model.value is None and model.above is None and model.below is None and name is None:
            scope.report(loc, f"nothing is expected of {tag.path}. Write a value.", key=True)
        if number and wanted is not None and not isinstance(wanted, str):
            span = tag.range[1] - tag.range[0] if tag.range else None
            by = (
                scope.difference((*loc, "tolerance"), model.tolerance, tag.unit, span)
                if model.tolerance
                else 0.0
            )
            by = by or abs(wanted) * 1e-9
            low, high = wanted - by, wanted + by
        elif number and wanted is None:
            strict = True
            low = scope.measure((*loc, "above"), model.above, tag.unit) if model.above else None
            high = scope.measure((*loc, "below"), model.below, tag.unit) if model.below else None
        return Check(place, "value", tag.path, value=wanted, low=low, high=high, strict=strict, quality=name)
