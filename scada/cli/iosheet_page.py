"""The I/O check sheet as a page to print: a table for each device, with boxes to sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Final

_STYLE: Final = """
@page { size: A4 landscape; margin: 10mm; }
body { font: 9pt/1.25 system-ui, sans-serif; color: #111; margin: 1em; }
h1 { font-size: 14pt; } h2 { font-size: 11pt; margin: 1.2em 0 .3em; }
table { border-collapse: collapse; width: 100%; }
thead { display: table-header-group; } tr { break-inside: avoid; }
th, td { border: 1px solid #999; padding: 2px 4px; text-align: left; vertical-align: top; }
th { background: #eee; font-weight: 600; }
td.number { text-align: right; white-space: nowrap; } td.pen { min-width: 4.5em; } td.bad { font-weight: 700; }
td.tag { white-space: nowrap; } small { color: #444; }
"""


def page(site: str, sheet: Sequence[Mapping[str, str]]) -> str:
    """The whole document.

    Args:
        site: Name.
        sheet: Rows of `iosheet.rows`.
    """
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        f"<title>I/O check sheet {escape(site)}</title><style>{_STYLE}</style>",
        f"<h1>I/O check sheet: {escape(site)}</h1>",
    ]
    for device, group in groupby(sheet, key=lambda row: row["device"]):
        rows = list(group)
        parts.append(f"<h2>{escape(device)} <small>{len(rows)} points</small></h2>")
        parts.append(
            "<table><thead><tr><th>tag<th>address<th>type<th>range<th>raw at low, half, high<th>alarms"
            "<th>raw<th>reads<th>quality, time<th>OK<th>checked by<th>when<th>remarks</thead><tbody>"
        )
        parts.extend(_row(row) for row in rows)
        parts.append("</tbody></table>")
    return "\n".join((*parts, "</html>\n"))


def _row(row: Mapping[str, str]) -> str:
    said = {key: escape(value) for key, value in row.items()}
    span = " … ".join(text for text in (said["low"], said["high"]) if text)
    raw = ", ".join(said[f"raw at {name}"] for name in ("low", "half", "high") if said[f"raw at {name}"])
    bad = " class=bad" if said["quality"].startswith("Bad") else ""
    number = f" <small>{said['number']}</small>" if said["number"] else ""
    return (
        f"<tr><td class=tag>{said['tag']}<br><small>{said['description']}</small>"
        f"<td>{said['address']}{number}<br><small>{said['direction']}</small>"
        f"<td>{said['type']} <small>{said['order']}</small>"
        f"<td>{span} {said['unit']}<td class=number>{raw}<td>{said['alarms']}"
        f"<td class=number>{said['raw']}<td class=number>{said['engineering']}"
        f"<td{bad}>{said['quality']}<br><small>{said['time']}</small>"
        "<td>☐<td class=pen><td class=pen><td class=pen></tr>"
    )
