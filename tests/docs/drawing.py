"""Small line drawings as SVG: lanes one above the other over one axis of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_LEFT, _WIDTH, _TOP, _GAP = 64, 520, 12, 14
_ANALOG, _BOOL = 110, 22
_COLOURS = ("#1f5fa8", "#c2571a", "#3d7d3a", "#7a4a99")


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        name: Beside it.
        values: One per scan; bool draws an own lane of levels.
    """

    name: str
    values: Sequence[float | bool]


def draw(lines: Sequence[Line], period_s: float, unit: str = "", x_name: str = "s") -> str:
    """The drawing: numbers together in the upper lane, conditions below in lanes of their own.

    Args:
        lines: All of one length.
        period_s: Seconds (or units of x) between two values.
        unit: Of the upper lane.
        x_name: Unit of the axis.
    """
    numbers = [line for line in lines if not isinstance(line.values[0], bool)]
    bools = [line for line in lines if isinstance(line.values[0], bool)]
    count = len(lines[0].values)
    span = (count - 1) * period_s
    parts: list[str] = []
    y = _TOP
    if numbers:
        low = min(min(line.values) for line in numbers)
        high = max(max(line.values) for line in numbers)
        low, high = (low, high) if high > low else (low - 1, high + 1)
        scale = _ANALOG / (high - low)
        for value in (low, (low + high) / 2, high):
            at = y + _ANALOG - (value - low) * scale
            parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}h{_WIDTH}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" class="axis">{value:.3g}</text>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + _ANALOG / 4 + 4:.1f}" class="axis">{unit}</text>')
        for i, line in enumerate(numbers):
            points = " ".join(
                f"{_LEFT + n * _WIDTH / (count - 1):.1f},{y + _ANALOG - (v - low) * scale:.1f}"
                for n, v in enumerate(line.values)
            )
            colour = _COLOURS[i % len(_COLOURS)]
            dash = ' stroke-dasharray="5 4"' if i == 0 and len(numbers) > 1 else ""
            parts.append(f'<polyline points="{points}" stroke="{colour}"{dash}/>')
            parts.append(
                f'<text x="{_LEFT + _WIDTH + 8}" y="{y + 12 + 16 * i}" fill="{colour}" class="name">{line.name}</text>'
            )
        y += _ANALOG + _GAP
    for i, line in enumerate(bools):
        path, before = "", None
        for n, on in enumerate(line.values):
            x, at = _LEFT + n * _WIDTH / (count - 1), y + (2 if on else _BOOL - 4)
            path += f"M{x:.1f} {at}" if before is None else f"H{x:.1f}" + ("" if on == before else f"V{at}")
            before = on
        colour = _COLOURS[(len(numbers) + i) % len(_COLOURS)]
        parts.append(f'<path d="{path}" stroke="{colour}"/>')
        parts.append(
            f'<text x="{_LEFT + _WIDTH + 8}" y="{y + 15}" fill="{colour}" class="name">{line.name}</text>'
        )
        y += _BOOL + 6
    for n in range(5):
        x = _LEFT + n * _WIDTH / 4
        parts.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{y}"/>')
        parts.append(f'<text x="{x:.1f}" y="{y + 14}" class="time">{n * span / 4:g}</text>')
    parts.append(f'<text x="{_LEFT + _WIDTH + 20}" y="{y + 14}" class="unit">{x_name}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 {y + 24}" width="700" height="{y + 24}">\n'
        "<style>text{font:12px sans-serif}.axis{text-anchor:end;fill:#555}.time{text-anchor:middle;fill:#555}"
        ".unit{fill:#555}.grid{stroke:#ddd;stroke-width:1}polyline,path{fill:none;stroke-width:1.6}</style>\n"
        f'<rect width="700" height="{y + 24}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
