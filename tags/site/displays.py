"""Displays: YAML entry and drawing to a compiled picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from tags.model import Display
from tags.site import drawing, models
from tags.site.building import Building, Scope
from tags.site.sources import Source
from tags.site.validate import validate
from tags.units import did_you_mean


def compile_display(
    build: Building, name: str, data: Any, source: Source, files: Mapping[str, bytes], names: Collection[str]
) -> Display | None:
    """One display, or None with its problems reported.

    Args:
        build: The site; all tags are known.
        name: Of the display.
        data: As written.
        source: Where.
        files: Drawings by path relative to the site folder.
        names: Of all displays.
    """
    scope = Scope(build, source, f"display {name}")
    model = validate(models.Display, data, source, scope.subject, build.problems)
    if model is None:
        return None
    beside = PurePosixPath(source.place().file).parent / model.drawing
    file = next((str(path) for path in (beside, PurePosixPath(model.drawing)) if str(path) in files), None)
    if file is None:
        here = [Path(path).name for path in files]
        hint = (
            did_you_mean(model.drawing, here) or f". Put it beside {PurePosixPath(source.place().file).name}."
        )
        scope.report(("drawing",), f"there is no drawing {model.drawing!r} in the site{hint}")
        return None

    def tag_problem(path: str) -> str:
        if path in build.tags:
            return ""
        return f"unknown tag {path!r}" + (did_you_mean(path, build.tags) or ". Correct the path.")

    def display_problem(other: str) -> str:
        return (
            ""
            if other in names
            else f"unknown display {other!r}" + (did_you_mean(other, names) or ". Correct the name.")
        )

    svg, tags = drawing.check(
        file, files[file], model.parameters, build.problems.add, tag_problem, display_problem
    )
    return Display(name=name, title=model.title or name, svg=svg, tags=tags, level=model.level)
