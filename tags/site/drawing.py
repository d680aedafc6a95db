"""SVG drawings: parsed for their places, checked for tags that do not exist and for anything that could act.

A drawing is shown inside the operator's page. It may hold shapes, texts and `data-` attributes; scripts, event
handlers, links to elsewhere, foreign content and document types are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from xml.parsers import expat
from xml.sax.saxutils import escape

from tags.site.problems import Place, Report

BYTES_MAX: Final = 2 * 1024 * 1024
DEPTH_MAX: Final = 100
TAG_ATTRIBUTES: Final = ("data-tag", "data-mode", "data-remote", "data-trip")
_DISPLAY_ATTRIBUTE: Final = "data-display"
_NAMESPACE: Final = "http://www.w3.org/2000/svg"
_FORBIDDEN: Final = frozenset({
    "script", "foreignobject", "iframe", "object", "embed", "image", "feimage", "handler", "listener", "audio",
    "video", "link", "meta", "base", "form", "input", "animate", "animatemotion", "animatetransform", "set",
    "discard", "style",
})  # fmt: skip
_LINKS: Final = frozenset({"href", "xlink:href", "src", "action", "formaction", "data"})
_PARAMETER: Final = re.compile(r"\$([A-Za-z_]\w*)")


def check(
    file: str,
    svg: bytes,
    parameters: Mapping[str, Any],
    report: Report,
    tag_problem: Callable[[str], str],
    display_problem: Callable[[str], str],
) -> tuple[str, tuple[str, ...]]:
    """Checks one drawing and fills its parameters in.

    Args:
        file: Its name in messages.
        svg: UTF-8.
        parameters: `$name` in attributes and texts is replaced by these.
        report: Takes each problem with its place.
        tag_problem: What is wrong with a tag path, or "".
        display_problem: What is wrong with the name of a display, or "".

    Returns:
        The drawing as text, and the tags that it shows in order of first use.
    """
    if len(svg) > BYTES_MAX:
        report(Place(file), f"the drawing has {len(svg)} bytes. At most {BYTES_MAX} are shown: simplify it.")
        return "", ()
    reader = _Reader(file, parameters, report, tag_problem, display_problem)
    try:
        reader.parser.Parse(svg, True)
        text = svg.decode("utf-8-sig")
    except expat.ExpatError as error:
        what = expat.errors.messages[error.code]
        report(
            Place(file, error.lineno, error.offset + 1),
            f"not SVG: {what}. Correct it, or save it again as plain SVG.",
        )
        return "", ()
    except UnicodeDecodeError:
        report(Place(file), "not UTF-8. Save the drawing as UTF-8.")
        return "", ()
    return fill(text, parameters), tuple(reader.tags)


def fill(text: str, parameters: Mapping[str, Any]) -> str:
    """Replaces `$name` by the parameter's text, escaped for attributes and texts."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in parameters:
            return match[0]
        return escape(str(parameters[match[1]]), {'"': "&quot;", "'": "&apos;"})

    return _PARAMETER.sub(value, text) if parameters else text


class _Reader:
    """Looks at each element."""

    def __init__(
        self,
        file: str,
        parameters: Mapping[str, Any],
        report: Report,
        tag_problem: Callable[[str], str],
        display_problem: Callable[[str], str],
    ) -> None:
        self.file, self.parameters, self.report = file, parameters, report
        self.tag_problem, self.display_problem = tag_problem, display_problem
        self.tags: dict[str, None] = {}
        self.depth = 0
        self.parser = expat.ParserCreate()
        self.parser.ordered_attributes = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.ProcessingInstructionHandler = self.instruction

    @property
    def here(self) -> Place:
        return Place(self.file, self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1)

    def doctype(self, *_: Any) -> None:
        self.report(self.here, "a document type (<!DOCTYPE …>) is not allowed in a drawing. Leave it out.")

    def instruction(self, target: str, _data: str) -> None:
        self.report(self.here, f"an instruction (<?{target} …?>) is not allowed in a drawing. Leave it out.")

    def end(self, _name: str) -> None:
        self.depth -= 1

    def start(self, name: str, attributes: list[str]) -> None:
        self.depth += 1
        local = name.rpartition(":")[2].lower()
        if self.depth == 1 and local != "svg":
            self.report(self.here, f"a drawing begins with <svg>, not with <{name}>. Save it as plain SVG.")
        if self.depth == DEPTH_MAX:
            self.report(self.here, f"nested more than {DEPTH_MAX} deep. Ungroup the drawing.")
        if local in _FORBIDDEN:
            self.report(self.here, f"<{name}> is not allowed in a drawing: only shapes and texts. Remove it.")
        for attribute, value in zip(attributes[::2], attributes[1::2], strict=True):
            self.attribute(attribute, fill(value, self.parameters))

    def attribute(self, name: str, value: str) -> None:
        lower = name.lower()
        squeezed = re.sub(r"[\s\x00-\x1f\\]|/\*.*?\*/", "", value).lower()
        if lower.startswith("on"):
            self.report(self.here, f"{name}= is an event handler. A drawing cannot act: remove it.")
        elif lower in _LINKS and not squeezed.startswith("#"):
            self.report(
                self.here,
                f"{name}={value!r} leads elsewhere. Only links to parts of the drawing (#…) are allowed.",
            )
        elif (
            ("url(" in squeezed and re.search(r"url\((?![\"']?#)", squeezed))
            or "javascript:" in squeezed
            or "@import" in squeezed
        ):
            self.report(self.here, f"{name}= loads something from elsewhere. Only url(#…) is allowed.")
        elif name in TAG_ATTRIBUTES:
            problem = self.tag_problem(value)
            if problem:
                self.report(self.here, f"{name}: {problem}")
            self.tags[value] = None
        elif name == _DISPLAY_ATTRIBUTE and (problem := self.display_problem(value)):
            self.report(self.here, f"{name}: {problem}")
