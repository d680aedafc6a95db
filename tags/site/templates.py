"""Templates: tags and units written once, with `$parameters`.

`tag:` makes one tag at the path that uses the template; `tags:` makes one below it for each name; `supervise:`
makes a block of the same path. `$path`, `$name` (its last part) and `$description` are always there, and a
`device` given by `with` goes to every tag that names none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tags.model import Unit
from tags.site import models
from tags.site.document import Document, find
from tags.site.problems import Problems
from tags.site.sources import NodeSource, Source, TemplateSource
from tags.site.validate import unknown_key, validate
from tags.units import did_you_mean

_PARAMETER: Final = re.compile(r"\$([A-Za-z_]\w*)")
_BUILT_IN: Final = ("path", "name", "description")
_MERGED: Final = frozenset({"alarms", "supervise"})  # other keys of an override replace the template's
_OF_A_UNIT: Final = frozenset({"description", "display", "scan", "tags", "supervise"})
_REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Entry:
    """A tag or block as data, before it is checked.

    Attributes:
        path: Its path.
        data: Plain data.
        source: Places of it.
    """

    path: str
    data: dict[str, Any]
    source: Source


class Templates:
    """All templates of a site."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.models: dict[str, models.Template] = {}
        self.sources: dict[str, NodeSource] = {}
        self.units: list[Unit] = []

    def add(self, name: str, data: Any, source: NodeSource) -> None:
        """Takes one template; reports it when its name is taken or it is wrong in itself."""
        if name in self.sources:
            self.problems.add(
                source.place(), f"template {name} is written twice, first at {self.sources[name].place()}."
            )
            return
        self.sources[name] = source
        model = validate(models.Template, data, source, f"template {name}", self.problems)
        if model is None:
            return
        if (model.tag is None) == (model.tags is None):
            self.problems.add(
                source.place(), f"template {name}: write either tag: (one) or tags: (several by name)."
            )
            return
        declared = {*_BUILT_IN, *model.parameters}
        for loc, used in _used(data, ()):
            if used not in declared:
                hint = did_you_mean(used, declared) or ". Add it to parameters:."
                self.problems.add(source.place(loc), f"template {name}: ${used} is not a parameter{hint}")
        self.models[name] = model

    def expand(self, path: str, data: dict[str, Any], source: NodeSource) -> tuple[list[Entry], list[Entry]]:
        """Tags and blocks that one entry with `use:` makes; empty with a problem when it cannot."""
        use = validate(models.Use, data, source, path, self.problems)
        if use is None:
            return [], []
        if use.use not in self.sources:
            hint = did_you_mean(use.use, self.sources) or ". Write it under templates:."
            self.problems.add(source.place(("use",)), f"{path}: unknown template {use.use!r}{hint}")
        model = self.models.get(use.use)
        if model is None:
            return [], []
        given = self._parameters(path, use, model, source)
        if given is None:
            return [], []
        extra: dict[str, Any] = dict(use.model_extra or {})
        values = {
            **given,
            "path": path,
            "name": path.rpartition("/")[2],
            "description": extra.get("description", path),
        }
        nodes = {str(k.value): v for k, v in getattr(find(source.node, ("with",))[0], "value", ())}
        build = _Build(use.use, path, source, self.sources[use.use], values, nodes, given.get("device"))
        if model.tag is not None:
            return [build.entry(path, model.tag, ("tag",), extra, ())], []
        return self._unit(model, extra, build)

    def _parameters(
        self, path: str, use: models.Use, model: models.Template, source: NodeSource
    ) -> dict[str, Any] | None:
        wanted = (
            dict.fromkeys(model.parameters, _REQUIRED)
            if isinstance(model.parameters, list)
            else model.parameters
        )
        known = [*wanted, "device"]
        missing = [name for name, default in wanted.items() if default is _REQUIRED and name not in use.with_]
        if missing:
            self.problems.add(
                source.place(("with",), key=True) if use.with_ else source.place(),
                f"{path}: template {use.use} needs {', '.join(missing)}. Write with: {{{missing[0]}: …}}.",
            )
        unknown = [name for name in use.with_ if name not in known]
        for name in unknown:
            text = unknown_key(name, known, "parameter")
            self.problems.add(source.place(("with", name), key=True), f"{path}: {text}")
        return None if missing or unknown else {**wanted, **use.with_}

    def _unit(
        self, model: models.Template, extra: dict[str, Any], build: _Build
    ) -> tuple[list[Entry], list[Entry]]:
        """A template with several tags."""
        for key in extra:
            if key not in _OF_A_UNIT:
                text = unknown_key(key, sorted(_OF_A_UNIT))
                self.problems.add(
                    build.own.place((key,), key=True),
                    f"{build.path}: {text} A key of one of the template's tags goes under tags: {{NAME: …}}.",
                )
        overrides = extra.get("tags") or {}
        if not isinstance(overrides, dict) or not all(isinstance(v, dict) for v in overrides.values()):
            self.problems.add(
                build.own.place(("tags",)), f"{build.path}: tags: needs names with keys below them."
            )
            overrides = {}
        shared = {key: extra[key] for key in ("display", "scan") if key in extra}
        entries = []
        for name in {**(model.tags or {}), **overrides}:
            data = (model.tags or {}).get(name, {})
            own = {**{k: v for k, v in shared.items() if k not in data}, **overrides.get(name, {})}
            entry = build.entry(f"{build.path}/{name}", data, ("tags", name), own, ("tags", name))
            if "description" in extra and "description" not in overrides.get(name, {}):
                what = entry.data.get("description", name)
                entry.data["description"] = f"{extra['description']}: {what}"
            entries.append(entry)
        made = {entry.path.removeprefix(f"{build.path}/"): entry.path for entry in entries}
        what = str(extra.get("description", ""))
        self.units.append(Unit(path=build.path, template=build.name, tags=made, description=what))
        supervised = extra.get("supervise")
        if model.supervise is None and supervised is None:
            return entries, []
        block = build.entry(
            build.path, model.supervise or {}, ("supervise",), supervised or {}, ("supervise",), device=False
        )
        for key in ("description", "display"):
            if key in extra:
                block.data.setdefault(key, extra[key])
        return entries, [block]


@dataclass(frozen=True, slots=True)
class _Build:
    """One use of a template."""

    name: str
    path: str
    own: NodeSource
    template: NodeSource
    values: Mapping[str, Any]
    nodes: Mapping[str, Any]
    device: Any

    def entry(
        self,
        path: str,
        data: dict[str, Any],
        loc: tuple[str, ...],
        own: dict[str, Any],
        own_loc: tuple[str, ...],
        *,
        device: bool = True,
    ) -> Entry:
        """The template's data with parameters filled in and overridden by the entry's own keys."""
        made = _filled(data, self.values)
        if device and self.device is not None:
            made.setdefault("device", self.device)
        for key, value in own.items():
            if key in _MERGED and isinstance(value, dict) and isinstance(made.get(key), dict):
                made[key] = {**made[key], **value}
            else:
                made[key] = value
        document: Document = self.own.document
        source = TemplateSource(
            NodeSource(document, self.own.node, self.own.key, own_loc),
            NodeSource(self.template.document, self.template.node, self.template.key, loc),
            self.nodes,
        )
        return Entry(path, made, source)


def _filled(data: Any, values: Mapping[str, Any]) -> Any:
    """A copy with `$name` replaced: a whole text by the value itself, a part of one by its text."""
    if isinstance(data, str):
        if "$" not in data:
            return data
        if data[1:] in values and data[0] == "$":
            return values[data[1:]]
        return _PARAMETER.sub(lambda match: str(values.get(match[1], match[0])), data)
    if isinstance(data, dict):
        return {key: _filled(value, values) for key, value in data.items()}
    if isinstance(data, list):
        return [_filled(item, values) for item in data]
    return data


def _used(data: Any, loc: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], str]]:
    """Every `$name` in a template's data, with its place."""
    if isinstance(data, str):
        return [(loc, name) for name in _PARAMETER.findall(data)]
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [found for key, value in items if key != "parameters" for found in _used(value, (*loc, key))]
