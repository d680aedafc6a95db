"""Drawings: shapes pass, nothing that acts does, and what comes out is the same to an XML and an HTML parser."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from tags.site import drawing
from tags.site.problems import Place

SVG = '<svg xmlns="http://www.w3.org/2000/svg">{}</svg>'


def checked(inner: str, **parameters: object) -> tuple[str, tuple[str, ...], list[str]]:
    found: list[str] = []
    svg, tags = drawing.check(
        "x.svg",
        SVG.format(inner).encode(),
        parameters,
        lambda place, text: found.append(f"{place}: {text}"),
        lambda path: "" if path.startswith("a/") else f"unknown tag {path}.",
        lambda name: "" if name == "water" else f"unknown display {name}.",
    )
    return svg, tags, found


@pytest.mark.parametrize(
    "inner",
    [
        '<g transform="translate(1 2)"><path d="M0 0 L1 1"/><text x="1">a &lt; b</text></g>',
        '<rect fill="url(#g)" style="--travel: 3"/><use href="#part"/>',
        '<text data-tag="a/x" data-show="value" data-display="water">0</text>',
    ],
)
def test_shapes_and_texts_pass(inner: str) -> None:
    svg, _, found = checked(inner)
    assert found == []
    assert svg.startswith("<svg ")
    assert svg.endswith("</svg>")


@pytest.mark.parametrize(
    "inner",
    [
        "<script>x()</script>",
        "<style>@import 'http://x'</style>",
        '<foreignObject><p xmlns="http://www.w3.org/1999/xhtml">x</p></foreignObject>',
        '<image href="#x"/>',
        '<animate attributeName="href" to="javascript:x()"/>',
        '<set attributeName="onclick" to="x()"/>',
        '<g onload="x()"/>',
        '<g ONCLICK="x()"/>',
        '<a href="javascript:x()"/>',
        '<a href=" java&#10;script:x()"/>',
        '<a href="https://example.org"/>',
        '<a href="data:text/html,x"/>',
        '<use href="other.svg#x"/>',
        '<g style="background: url(http://x)"/>',
        '<g style="background: u\\rl(/*x*/http://x)"/>',
        "<rect fill=\"url( 'http://x' )\"/>",
        '<div xmlns="http://www.w3.org/1999/xhtml"/>',
        '<g xmlns="http://www.w3.org/1999/xhtml"/>',
        "<img/>",
        "<?xml-stylesheet href='x'?>",
        '<text data-tag="b/x"/>',
        '<g data-display="nowhere"/>',
    ],
)
def test_what_acts_or_leads_away_is_refused(inner: str) -> None:
    _, _, found = checked(inner)
    assert len(found) == 1
    assert found[0].startswith("x.svg:1:")


def test_what_an_editor_added_for_itself_is_left_out() -> None:
    inner = (
        '<metadata><x>y</x></metadata><sodipodi:namedview xmlns:sodipodi="urn:s"><g onload="x"/></sodipodi:namedview>'
        '<g xmlns:inkscape="urn:i" inkscape:label="x" id="g1"/>'
    )
    svg, _, found = checked(inner)
    assert found == []
    assert svg == SVG.format('<g id="g1"></g>')


@pytest.mark.parametrize(
    "inner",
    [
        "<!--><img src=x onerror=x()>-->",
        "<desc><![CDATA[x><img src=x onerror=x()>]]></desc>",
        "<title>&lt;img src=x onerror=x()></title>",
        "<text>&lt;/svg>&lt;script>x()&lt;/script></text>",
    ],
)
def test_an_html_parser_sees_no_more_than_we_did(inner: str) -> None:
    svg, _, found = checked(inner)
    assert found == []
    seen: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: seen.append(tag)  # type: ignore[method-assign]
    parser.feed(svg)
    assert set(seen) <= {"svg", "desc", "title", "text"}
    assert "<!" not in svg


def test_parameters_are_escaped_and_make_paths() -> None:
    svg, tags, found = checked('<text data-tag="$unit/x" title="$t">$t $other</text>', unit="a", t='"<&>')
    assert found == []
    assert tags == ("a/x",)
    assert "&lt;&amp;&gt; $other</text>" in svg
    assert "title='\"&lt;&amp;&gt;'" in svg


def test_limits_and_roots() -> None:
    found: list[tuple[Place, str]] = []

    def check(data: bytes) -> str:
        found.clear()
        drawing.check(
            "x.svg", data, {}, lambda place, text: found.append((place, text)), lambda _: "", lambda _: ""
        )
        return found[0][1] if found else ""

    assert "simplify it" in check(b" " * (drawing.BYTES_MAX + 1))
    assert "begins with <svg" in check(b"<g/>")
    assert "begins with <svg" in check(b"<svg/>")
    assert "nested more than" in check(SVG.format("<g>" * 120 + "</g>" * 120).encode())
    assert "document type" in check(b'<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + SVG.format("").encode())
    assert "not SVG" in check(SVG.format("<g>").encode())
    assert "not SVG" in check(SVG.format("\xff").encode("latin-1"))
