"""Plant tests of a site folder: `tests/*.yaml` to what runs, or to every problem in them with its place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tags.model import DEVICE, SYSTEM, Site, Tag
from tags.site import plant_tests_models as models
from tags.site import plant_tests_steps as steps
from tags.site.building import Building, Scope
from tags.site.document import Document, find, read
from tags.site.models import Defaults
from tags.site.plant_tests_compiled import Check, Follow, Invariant, Plant, PlantTest, Series, Vary
from tags.site.problems import Problems
from tags.site.sources import Loc, NodeSource
from tags.site.validate import unknown_key, validate
from tags.types import BOOL, FLOATS, STRING
from tags.units import did_you_mean

FOLDER: Final = "tests"
_KEYS: Final = ("plant", "tests")


@dataclass(frozen=True, slots=True)
class Suite:
    """The plant tests of a site.

    Attributes:
        tests: In the order of files and lines.
        invariants: Likewise.
    """

    tests: tuple[PlantTest, ...] = ()
    invariants: tuple[Invariant, ...] = ()

    def all(self) -> tuple[PlantTest | Invariant, ...]:
        """Tests, then invariants."""
        return (*self.tests, *self.invariants)


def read_tests(root: Path, site: Site) -> Suite:
    """Reads and checks the plant tests of a site folder.

    Args:
        root: The site folder; its tests are the YAML files below `tests/`.
        site: Compiled from it.

    Raises:
        tags.site.SiteError: With every problem of the tests, each with file, line and column.
    """
    problems = Problems()
    build = Building(problems, Defaults(), tags=site.by_path())
    reader = _Reader(root, site, build)
    for path in sorted((root / FOLDER).rglob("*.y*ml")):
        if path.suffix in (".yaml", ".yml") and path.is_file() and not path.name.startswith("."):
            document = read(path.relative_to(root).as_posix(), path.read_bytes(), problems)
            if document is not None:
                reader.file(document)
    problems.raise_if_any()
    return Suite(tuple(reader.tests), tuple(reader.invariants))


class _Reader:
    """One reading of all files."""

    def __init__(self, root: Path, site: Site, build: Building) -> None:
        self.root, self.site, self.build = root, site, build
        self.tests: list[PlantTest] = []
        self.invariants: list[Invariant] = []
        self._names: dict[str, str] = {}
        self._simulated = {
            device.name for device in site.devices if device.simulate not in (None, "memory", "dump")
        }

    def file(self, document: Document) -> None:
        """All tests of one file."""
        for key_node, _ in document.node.value:
            if str(key_node.value) not in _KEYS:
                self.build.problems.add(
                    document.place(key_node), unknown_key(str(key_node.value), list(_KEYS))
                )
        common = models.Plant()
        source = NodeSource(document, document.node, prefix=("plant",))
        if "plant" in document.data:
            found = validate(models.Plant, document.data["plant"], source, "plant", self.build.problems)
            common = found or common
        shared = self._plant(Scope(self.build, source, "plant"), common, Plant())
        for name, data, own in self._entries(document):
            subject = f"test {name}"
            if name in self._names:
                self.build.problems.add(
                    own.place(), f"{subject} is there twice, first at {self._names[name]}. Rename one."
                )
                continue
            self._names[name] = str(own.place())
            scope = Scope(self.build, own, subject)
            if "invariant" in data:
                invariant = validate(models.Invariant, data, own, subject, self.build.problems)
                if invariant is not None:
                    self._invariant(scope, name, invariant, shared)
            else:
                test = validate(models.Test, data, own, subject, self.build.problems)
                if test is not None:
                    self._test(scope, name, test, shared)

    def _entries(self, document: Document) -> Iterator[tuple[str, dict[str, Any], NodeSource]]:
        data = document.data.get("tests")
        node, _ = find(document.node, ("tests",))
        if data is None:
            return
        if not isinstance(data, dict):
            self.build.problems.add(
                document.place(node), "tests: has no names below it. Write name: and its keys, indented."
            )
            return
        for key_node, value in node.value:
            name = str(key_node.value)
            own = NodeSource(document, value, key_node)
            if isinstance(data.get(name), dict):
                yield name, data[name], own
            else:
                self.build.problems.add(
                    own.place(), f"test {name}: has no keys below it. Write its keys, indented."
                )

    # ---- what surrounds the program ------------------------------------------------------------------------------

    def _plant(self, scope: Scope, model: models.Plant, shared: Plant, start: str | None = None) -> Plant:
        simulated = model.simulated if model.simulated is not None else shared.simulated
        given = {series.path: series for series in shared.given}
        for path, one in model.given.items():
            tag = self.held(scope, ("given", path), path, simulated=simulated)
            if tag is not None:
                given[path] = Series(path, (steps.point(scope, ("given", path), 0, one, tag),), step=True)
        follow = {one.path: one for one in shared.follow}
        for path, written in model.follow.items():
            made = self._follow(scope, path, written, simulated=simulated)
            if made is not None:
                follow[path] = made
        return Plant(
            simulated=simulated,
            seed=model.seed if model.seed is not None else shared.seed,
            given=tuple(given.values()),
            follow=tuple(follow.values()),
            start=self._start(scope, start),
        )

    def _start(self, scope: Scope, text: str | None) -> str | None:
        if text is None:
            return None
        try:
            stamp = dt.datetime.fromisoformat(text)
        except ValueError:
            scope.report(("start",), f"{text!r} is no time. Write it in quotes: '2026-11-23 08:00'.")
            return None
        if not 1971 <= stamp.year <= 2200:
            scope.report(("start",), f"{text!r}: the year is not between 1971 and 2200. Correct it.")
            return None
        return stamp.isoformat()

    def held(self, scope: Scope, loc: Loc, path: str, *, simulated: bool) -> Tag | None:
        """A tag whose value a test may give: one of a device, or another service's `system/` tag."""
        tag = scope.tag(loc, path)
        if tag is None:
            return None
        if tag.writer == "control":
            scope.report(
                loc, f"{path} is made by control. Ask for it with write:, or leave it out.", key=True
            )
            return None
        if tag.kind not in (DEVICE, SYSTEM):
            scope.report(loc, f"{path} is no value of a device. Leave it out.", key=True)
            return None
        if simulated and tag.device in self._simulated and tag.kind == DEVICE:
            text = f"{path} is played by the simulator of {tag.device}. Move it with inject:, or leave simulated: out."
            scope.report(loc, text, key=True)
            return None
        return tag

    def _follow(self, scope: Scope, path: str, model: models.Follow, *, simulated: bool) -> Follow | None:
        loc: Loc = ("follow", path)
        tag = self.held(scope, loc, path, simulated=simulated)
        if tag is None:
            return None
        if tag.command is not None:
            scope.report(loc, f"{path} is written by control. Let its feedback follow it.", key=True)
            return None
        kinds = [
            model.of is not None,
            model.rate is not None,
            model.start is not None or model.stop is not None,
        ]
        if sum(kinds) != 1:
            text = f"{path} follows in one way: of:, rate:, or start: with stop:. Write one of them."
            scope.report(loc, text, key=True)
            return None
        low, high = tag.range or (float("-inf"), float("inf"))
        pulses: dict[str, str | None] = {"start": None, "stop": None}
        for key in pulses:
            name: str | None = getattr(model, key)
            if name is None:
                continue
            pulse = scope.tag((*loc, key), name)
            if pulse is not None and pulse.type != BOOL:
                scope.report((*loc, key), f"{name} is not true or false. Name a pulse.")
            pulses[key] = name
        wanted = "bool" if tag.type == BOOL else "number"
        written = model.of if model.rate is None else model.rate
        if tag.type == STRING or (tag.type == BOOL and (model.rate or model.lag)):
            scope.report(
                loc, f"{path} is not a number. Let it follow with of: or with start: and stop:.", key=True
            )
            return None
        if written is None and tag.type != BOOL:
            scope.report(loc, f"{path} is not true or false. Let it follow with of: or rate:.", key=True)
            return None
        where: Loc = (*loc, "rate" if model.rate is not None else "of")
        if written is not None and scope.checked(where, written, wanted) is None:
            return None
        if model.time and tag.type != BOOL and tag.range is None:
            scope.report(loc, f"{path} has no range, so that time: says nothing. Use lag:.", key=True)
        parsed = None if written is None else scope.expression(where, written)
        return Follow(
            path,
            of=parsed if model.of is not None else None,
            rate=parsed if model.rate is not None else None,
            start=pulses["start"],
            stop=pulses["stop"],
            time_ns=model.time,
            lag_ns=model.lag,
            low=low,
            high=high,
        )

    # ---- tests ---------------------------------------------------------------------------------------------------

    def _test(self, scope: Scope, name: str, model: models.Test, shared: Plant) -> None:
        plant = self._plant(scope, model, shared, model.start)
        made = steps.Steps(scope, lambda loc, path: self.held(scope, loc, path, simulated=plant.simulated))
        first = []
        for path, series in model.series.items():
            tag = self.held(scope, ("series", path), path, simulated=plant.simulated)
            if tag is not None:
                first.append(made.series(("series", path), tag, series))
        for number, step in enumerate(model.steps):
            made.step(("steps", number), step, self._simulated if plant.simulated else set(), self.site)
        begin = steps.begin(scope, tuple(first))
        self.tests.append(
            PlantTest(
                name=name,
                place=scope.source.place(),
                plant=plant,
                steps=(*begin, *made.made),
                until_ns=max(model.until or 0, max((s.points[-1].time_ns for s in first), default=0)),
                always=self._conditions(scope, "always", model.always),
                never=self._conditions(scope, "never", model.never),
                allow_ns=model.allow,
                settle_ns=model.settle,
                recording=self._recording(scope, model),
                description=model.description,
            )
        )

    def _conditions(self, scope: Scope, key: str, texts: list[str]) -> tuple[Check, ...]:
        found = [steps.condition(scope, (key, number), text) for number, text in enumerate(texts)]
        return tuple(check for check in found if check is not None)

    def _recording(self, scope: Scope, model: models.Test) -> Path | None:
        """The file that a test runs again; nothing else may then surround the program."""
        if model.recording is None:
            return None
        path = (self.root / scope.source.place().file).parent / model.recording
        if not path.resolve().is_relative_to(self.root.resolve()) or not path.is_file():
            text = f"there is no file {model.recording} beside this one. Put it there."
            scope.report(("recording",), text)
        happens = (
            "set",
            "ramp",
            "write",
            "acknowledge",
            "force",
            "unforce",
            "bypass",
            "unbypass",
            "devices",
            "inject",
            "restart",
        )
        for key in ("given", "follow", "series", "start", "simulated"):
            if getattr(model, key):
                scope.report((key,), f"{key}: has no effect beside recording:. Leave it out.", key=True)
        for number, step in enumerate(model.steps):
            for key in happens:
                if getattr(step, key):
                    text = f"{key}: has no effect beside recording:. Leave it out."
                    scope.report(("steps", number, key), text, key=True)
        return path

    def _invariant(self, scope: Scope, name: str, model: models.Invariant, shared: Plant) -> None:
        check = steps.condition(scope, ("invariant",), model.invariant)
        plant = self._plant(scope, model, shared, model.start)
        vary: list[Vary] | None = None if model.vary is None else []
        for path, one in (model.vary or {}).items():
            tag = self.held(scope, ("vary", path), path, simulated=plant.simulated)
            if tag is not None and vary is not None:
                vary.append(self._vary(scope, ("vary", path), tag, one or models.Vary()))
        requests: list[Vary] | None = None if model.requests is None else []
        for path, values in (model.requests or {}).items():
            tag = scope.tag(("requests", path), path)
            if tag is None or requests is None:
                continue
            if not tag.writable:
                scope.report(("requests", path), f"{path} cannot be written. Leave it out.", key=True)
                continue
            given = models.Vary(values=values)
            requests.append(self._vary(scope, ("requests", path), tag, given, nested=False))
        names = [device.name for device in self.site.devices]
        for number, device in enumerate(model.devices):
            if device not in names:
                hint = did_you_mean(device, names) or f". There are {', '.join(names)}."
                scope.report(("devices", number), f"unknown device {device!r}{hint}")
        if check is None:
            return
        self.invariants.append(
            Invariant(
                name=name,
                place=scope.source.place(),
                plant=plant,
                check=check,
                allow_ns=model.allow,
                settle_ns=model.settle,
                vary=None if vary is None else tuple(vary),
                requests=None if requests is None else tuple(requests),
                role=model.role,
                devices=tuple(model.devices),
                restart=model.restart,
                length_ns=model.search.length,
                examples=model.search.examples,
                moves=model.search.moves,
                description=model.description,
            )
        )

    def _vary(self, scope: Scope, loc: Loc, tag: Tag, model: models.Vary, *, nested: bool = True) -> Vary:
        values = []
        for number, data in enumerate(model.values or []):
            value = steps.value(scope, (*loc, "values", number) if nested else (*loc, number), data, tag)
            if value is not None:
                values.append(value)
        limits = (
            scope.pair((*loc, "range"), model.range, tag.unit) if model.range else tag.limits or tag.range
        )
        rate = 0.0
        if model.rate is not None:
            span = tag.range[1] - tag.range[0] if tag.range else None
            rate = scope.rate((*loc, "rate"), model.rate, tag.unit, span)
            if tag.type not in FLOATS:
                scope.report(
                    (*loc, "rate"), f"{tag.path} jumps: it is no measured number. Leave rate: out.", key=True
                )
        made = Vary(tag.path, tuple(values), rate=rate, bad=model.bad)
        return made if limits is None else replace(made, low=limits[0], high=limits[1])
