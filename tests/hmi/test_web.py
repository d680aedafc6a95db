from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import hatch_build
from hmi.pages import Pages

CSS = hatch_build.WEB / "css"


def palette() -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6});", (CSS / "palette.css").read_text()))


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


TEXTS = [
    *(
        (name, ground)
        for name in ("text", "soft", "live")
        for ground in ("bg", "panel", "field", "bar", "button")
    ),
    *(
        (f"on-{name}", name)
        for name in ("critical", "high", "medium", "low", "bad", "uncertain", "forced", "pressed")
    ),
    ("critical", "panel"),
    ("text", "hatch"),
]


@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_texts_can_be_read(text: str, ground: str) -> None:
    colors = palette()
    assert contrast(colors[text], colors[ground]) >= 4.5


@pytest.mark.parametrize("mark", ["line", "focus", "pen-1", "pen-2", "pen-3", "pen-4", "off", "limit"])
def test_marks_stand_out(mark: str) -> None:
    colors = palette()
    assert contrast(colors[mark], colors["field"]) >= 3


def test_colours_stand_in_the_palette_alone() -> None:
    for path in CSS.glob("*.css"):
        if path.name != "palette.css":
            assert not re.findall(r"#[0-9a-fA-F]{3,8}\b(?!\")", path.read_text()), path.name
    for path in (hatch_build.WEB / "src").rglob("*.ts"):
        assert not re.findall(r"[\"'`]#[0-9a-fA-F]{6}\b", path.read_text()), path.name


def test_the_sources_are_typed() -> None:
    node = hatch_build.node()
    tsc = hatch_build.WEB / "node_modules" / "typescript" / "bin" / "tsc"
    assert tsc.is_file(), f"{tsc} is missing. Run: python hatch_build.py"
    done = subprocess.run(
        [node, str(tsc), "--noEmit"], cwd=hatch_build.WEB, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_nothing_is_built_twice() -> None:
    hatch_build.build(tools=True)
    assert hatch_build.build(tools=True) is False


def test_the_lock_file_names_no_registry() -> None:
    text = (hatch_build.WEB / "package-lock.json").read_text()
    assert "resolved" not in text
    assert "registry" not in text
    assert '"integrity"' in text


def test_the_page_stands_alone() -> None:
    """A plant has no internet: nothing is fetched from elsewhere."""
    for name in ("index.html", "style.css"):
        text = (hatch_build.STATIC / name).read_text()
        assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(https?:)?//", text)


def test_without_a_built_page_the_server_says_what_to_do(tmp_path: Path) -> None:
    assert Pages(tmp_path / "absent").build == ""
