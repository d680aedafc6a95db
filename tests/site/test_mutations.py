"""Mutated sites: what is accepted compiles and loads, what is refused says where; nothing else ever happens."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from xml.parsers import expat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tags import model
from tags.site import Problem, SiteError, drawing, read_site
from tags.site.document import find, read, scalar
from tags.site.problems import Place, Problems
from tests.site.helpers import DRIVERS

DEMO = Path(__file__).parents[2] / "config" / "demo"
FILES = sorted(path.relative_to(DEMO) for path in DEMO.rglob("*") if path.suffix in (".yaml", ".svg"))
PIECES = (
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "- ",
    "\n",
    "  ",
    "null",
    "true",
    "-1",
    "1e400",
    "$x",
    '"',
    "&a ",
    "*a",
    "!x ",
    "%",
    "/",
    "<",
    ">",
)


def mutated(text: str, seed: int) -> str:
    """One to three small changes, the kind that a hand makes."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text))
        end = at + chance.randrange(12)
        change = chance.choice(("delete", "insert", "double", "swap", "move", "letter"))
        lines = text.splitlines(keepends=True)
        if change == "delete":
            text = text[:at] + text[end:]
        elif change == "insert":
            text = text[:at] + chance.choice(PIECES) + text[at:]
        elif change == "double":
            line = chance.randrange(len(lines))
            text = "".join([*lines[: line + 1], *lines[line:]])
        elif change == "swap":
            a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
            lines[a], lines[b] = lines[b], lines[a]
            text = "".join(lines)
        elif change == "move":
            piece = text[at:end]
            text = text[:at] + text[end:]
            to = chance.randrange(len(text) + 1)
            text = text[:to] + piece + text[to:]
        else:
            text = text[:at] + chance.choice("abz09._-/ %") + text[at + 1 :]
        text = text or " "
    return text


@pytest.fixture(scope="module")
def copy_of_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mutated") / "demo"
    shutil.copytree(DEMO, root)
    return root


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(FILES), st.integers(0, 2**32))
def test_a_mutated_demo_compiles_or_says_where(copy_of_demo: Path, file: Path, seed: int) -> None:
    path = copy_of_demo / file
    text = path.read_text()
    changed = mutated(text, seed)
    path.write_text(changed)
    problems: list[Problem] = []
    site = None
    try:
        site = read_site(copy_of_demo, drivers=DRIVERS)
    except SiteError as error:
        problems = error.problems
    finally:
        path.write_text(text)
    if site is not None:
        assert model.load(model.dump(site)) == site
        return
    assert problems
    for problem in problems:
        lines = changed if problem.file == str(file) else (copy_of_demo / problem.file).read_text()
        assert problem.message
        assert 0 <= problem.line <= lines.count("\n") + 2, problem


yaml_texts = st.one_of(
    st.text(max_size=80),
    st.lists(
        st.sampled_from(
            [
                "a",
                "b: ",
                "- ",
                "{",
                "}",
                "[",
                "]",
                ",",
                "\n",
                "  ",
                "'",
                '"',
                "#",
                "|",
                ">",
                "&x ",
                "*x",
                "? ",
                "!t ",
            ]
        ),
        max_size=30,
    ).map("".join),
)


@given(yaml_texts)
def test_any_text_is_a_document_or_has_a_problem(text: str) -> None:
    problems = Problems()
    document = read("x.yaml", text.encode(errors="replace"), problems)
    if document is None:
        return
    assert isinstance(document.data, dict)
    node, _ = find(document.node, ("a", 0, "b"))
    assert document.place(node).line >= 1


@given(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
def test_plain_scalars(whole: int, fraction: float) -> None:
    if len(str(whole)) < 30:
        assert scalar(str(whole)) == whole
    assert scalar(repr(fraction)) == fraction
    for text in (
        "on",
        "no",
        "18:00",
        "00001",
        "1_000",
        "0x10",
        "nan",
        ".inf",
        "1.2.3",
        "-",
        "+",
        "2026-12-25",
    ):
        assert scalar(text) == text
    assert [scalar(text) for text in ("", "~", "null", "true", "False")] == [None, None, None, True, False]


@given(
    st.one_of(
        st.binary(max_size=80),
        st.text(max_size=80).map(str.encode),
        st.lists(
            st.sampled_from(
                [
                    "<svg xmlns='http://www.w3.org/2000/svg'>",
                    "</svg>",
                    "<g ",
                    "data-tag='a'",
                    "/>",
                    ">",
                    "<",
                    "&",
                    "<!--",
                    "-->",
                    "<![CDATA[",
                    "]]>",
                    "onload='x'",
                    " href='y'",
                ]
            ),
            max_size=12,
        ).map(lambda p: "".join(p).encode()),
    )
)
def test_any_bytes_are_a_drawing_or_have_a_problem(data: bytes) -> None:
    found: list[tuple[Place, str]] = []
    svg, tags = drawing.check(
        "x.svg", data, {}, lambda place, text: found.append((place, text)), lambda _: "", lambda _: ""
    )
    if not found:
        parser = expat.ParserCreate()
        attributes: set[str] = set()
        parser.StartElementHandler = lambda _name, given: attributes.update(given)
        parser.Parse(svg, True)
        assert attributes <= {"data-tag", "xmlns"}
        assert set(tags) <= {"a"}
