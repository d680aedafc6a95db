"""SVG drawings: parsed for their places, checked for tags that do not exist and for anything that could act.

A drawing is shown inside the operator's page, so only shapes, texts and `data-` attributes pass: scripts, event
handlers, links to elsewhere, foreign content and document types are refused, and what an editor added for itself
(elements and attributes of other namespaces, comments, metadata) is left out. The drawing is then written anew from
what was read: a browser's HTML parser must not see anything else in it than the XML parser here did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from tags.site.problems import Place, Report

BYTES_MAX: Final = 2 * 1024 * 1024
DEPTH_MAX: Final = 100
TAG_ATTRIBUTES: Final = ("data-tag", "data-mode", "data-remote", "data-trip")
_DISPLAY_ATTRIBUTE: Final = "data-display"
_NAMESPACE: Final = "http://www.w3.org/2000/svg"
_ELEMENTS: Final = frozenset({
    "svg", "g", "defs", "symbol", "use", "title", "desc", "a", "switch", "path", "rect", "circle", "ellipse", "line",
    "polyline", "polygon", "text", "tspan", "textPath", "marker", "clipPath", "mask", "pattern", "linearGradient",
    "radialGradient", "stop",
})  # fmt: skip
_LEFT_OUT: Final = frozenset({"metadata"})
_LINKS: Final = frozenset({"href", "xlink:href"})
_KEPT_PREFIXED: Final = frozenset({"xlink:href", "xml:space", "xml:lang", "xmlns:xlink"})
_PARAMETER: Final = re.compile(r"\$([A-Za-z_]\w*)")
_HIDING: Final = re.compile(r"[\s\x00-\x1f\\]|/\*.*?\*/")  # what CSS and URLs skip
_OUTWARD_URL: Final = re.compile(r"url\((?![\"']?#)")


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
    except expat.ExpatError as error:
        what = expat.errors.messages[error.code]
        text = f"not SVG: {what}. Correct it, or save it again as plain SVG in UTF-8."
        report(Place(file, error.lineno, error.offset + 1), text)
        return "", ()
    return "".join(reader.written), tuple(reader.tags)


class _Reader:
    """Looks at each element and writes it anew."""

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
        self.written: list[str] = []
        self.depth = 0
        self.left_out = 0  # depth of the element that is left out with all below it; 0 for none
        self.parser = expat.ParserCreate("utf-8")
        self.parser.ordered_attributes = True
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.ProcessingInstructionHandler = self.instruction

    @property
    def here(self) -> Place:
        return Place(self.file, self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1)

    def fill(self, text: str) -> str:
        """Replaces `$name` by the parameter."""
        return _PARAMETER.sub(lambda match: str(self.parameters.get(match[1], match[0])), text)

    def doctype(self, *_: Any) -> None:
        self.report(self.here, "a document type (<!DOCTYPE …>) is not allowed in a drawing. Leave it out.")

    def instruction(self, target: str, _data: str) -> None:
        self.report(self.here, f"an instruction (<?{target} …?>) is not allowed in a drawing. Leave it out.")

    def text(self, data: str) -> None:
        if not self.left_out:
            self.written.append(escape(self.fill(data)))

    def end(self, name: str) -> None:
        if not self.left_out:
            self.written.append(f"</{name}>")
        elif self.left_out == self.depth:
            self.left_out = 0
        self.depth -= 1

    def start(self, name: str, attributes: list[str]) -> None:
        self.depth += 1
        if self.left_out:
            return
        if self.depth == 1:
            self.root(name, attributes)
        if self.depth == DEPTH_MAX:
            self.report(self.here, f"nested more than {DEPTH_MAX} deep. Ungroup the drawing.")
        if name not in _ELEMENTS:
            self.left_out = self.depth
            if ":" not in name and name not in _LEFT_OUT:
                self.report(
                    self.here, f"<{name}> is not allowed in a drawing: only shapes and texts. Remove it."
                )
            return
        self.written.append(f"<{name}")
        for attribute, value in zip(attributes[::2], attributes[1::2], strict=True):
            if ":" not in attribute or attribute in _KEPT_PREFIXED:
                filled = self.fill(value)
                self.attribute(attribute, filled)
                self.written.append(f" {attribute}={quoteattr(filled)}")
        self.written.append(">")

    def root(self, name: str, attributes: list[str]) -> None:
        given = dict(zip(attributes[::2], attributes[1::2], strict=True))
        if name != "svg" or given.get("xmlns") != _NAMESPACE:
            self.report(
                self.here,
                f'a drawing begins with <svg xmlns="{_NAMESPACE}">, not with <{name}>. Save it as plain SVG.',
            )

    def attribute(self, name: str, value: str) -> None:
        squeezed = _HIDING.sub("", value).lower()
        if name.lower().startswith("on"):
            self.report(self.here, f"{name}= is an event handler. A drawing cannot act: remove it.")
        elif name in _LINKS and not squeezed.startswith("#"):
            text = f"{name}={value!r} leads elsewhere. Only links to parts of the drawing (#…) are allowed."
            self.report(self.here, text)
        elif "javascript:" in squeezed or "@import" in squeezed or _OUTWARD_URL.search(squeezed):
            self.report(self.here, f"{name}= loads something from elsewhere. Only url(#…) is allowed.")
        elif name == "xmlns" and value != _NAMESPACE:
            self.report(self.here, f"xmlns={value!r} is another language than SVG. Remove the element.")
        elif name in TAG_ATTRIBUTES:
            problem = self.tag_problem(value)
            if problem:
                self.report(self.here, f"{name}: {problem}")
            self.tags[value] = None
        elif name == _DISPLAY_ATTRIBUTE and (problem := self.display_problem(value)):
            self.report(self.here, f"{name}: {problem}")
