"""Options that many verbs share, and how their texts are read."""

from __future__ import annotations

import datetime as dt
import getpass
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer

from scada.cli.render import USAGE, failed
from scada.client import Archive, Client, NotRunning
from scada.client.running import is_locked
from scada.datadir import DataDir, default_data
from tags.model import Tag
from tags.types import BOOL, FLOATS, STRING, Value, coerce

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", envvar="SCADA_DATA", metavar="DIR", help="Data directory of the plant.", show_envvar=True
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in history.")]

_DURATION: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|sec|m|min|h|d)\s*")
_LONGEST_S: Final = 36_525 * 86_400.0
_SECONDS: Final = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


def connect(data: Path | None, role: str = "admin") -> Client:
    """The running plant: the named one, else the only one of this user.

    The owner of the data directory holds every key of the plant already, so the command line acts as `admin` in
    that person's name.
    """
    folder = data or _only_plant()
    try:
        return Client(folder, source="cli", user=getpass.getuser(), role=role)
    except NotRunning as error:
        raise failed(str(error))


def past(data: Path | None) -> tuple[Archive, Mapping[str, Tag], str]:
    """History of a plant that runs or does not; its tags, also by earlier paths, and its time zone.

    Raises:
        StoreError: There is no history, or it cannot be read.
    """
    folder = data or _only_plant()
    if not DataDir(folder).history.exists():
        raise failed(
            f"{folder}: there is no plant, and no history of one. Start it with: scada run SITE --data {folder}"
        )
    archive = Archive(folder)
    return archive, archive.earlier | archive.tags, archive.timezone


def plants() -> list[Path]:
    """Data directories in this user's usual place, running or not."""
    return sorted(folder for folder in default_data("x").parent.glob("*") if (folder / "state").is_dir())


def usual_plant() -> Path:
    """The data directory to prepare when none was named: that of the only plant here, or of the demo."""
    return _only_plant() if plants() else default_data("demo")


def _only_plant() -> Path:
    found = plants()
    if len(found) > 1:
        found = [folder for folder in found if is_locked(DataDir(folder).lock) is not False] or found
    if len(found) == 1:
        return found[0]
    if not found:
        raise failed(
            "No plant is running here. Start one with `scada demo` or `scada run SITE`, or name one with --data DIR."
        )
    names = "\n".join(f"  --data {folder}" for folder in found)
    raise failed(f"Several plants are here; choose one:\n{names}", USAGE)


def known(tags: Mapping[str, Tag], path: str) -> Tag:
    """The tag of that path, ignoring case; ends with what may have been meant when there is none."""
    tag = tags.get(path)
    if tag is None:
        lower = {name.lower(): name for name in tags}
        exact = lower.get(path.lower())
        if exact is not None:
            return tags[exact]
        import difflib  # noqa: PLC0415 - only on the way out

        close = difflib.get_close_matches(path.lower(), lower, n=3)
        hint = (
            f" Did you mean {' or '.join(lower[name] for name in close)}?"
            if close
            else " `scada read` lists all."
        )
        raise failed(f"There is no tag {path}.{hint}")
    return tag


def parse_value(tag: Tag, text: str) -> Value:
    """What a person typed, as the tag's type has it; a state's text, true/false and the tag's own unit are fine."""
    words = text.strip()
    for number, state in tag.states.items():
        if state.lower() == words.lower():
            words = number
    if tag.unit and words.endswith(tag.unit):
        words = words[: -len(tag.unit)].strip()
    try:
        if tag.type == STRING:
            return coerce(STRING, text)
        if tag.type == BOOL:
            meant = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
            if words.lower() not in meant:
                raise failed(f"{tag.path} is true or false, not {text!r}.", USAGE)
            return meant[words.lower()]
        return coerce(tag.type, float(words) if tag.type in FLOATS else int(words))
    except ValueError:
        choices = f" One of: {', '.join(tag.states.values())}." if tag.states else ""
        unit = f" in {tag.unit}" if tag.unit else ""
        raise failed(f"{text!r} is not a value of {tag.path}, which is a {tag.type}{unit}.{choices}", USAGE)


def parse_duration(text: str) -> float:
    """Seconds of `500 ms`, `30s`, `30 m`, `2 h`, `1 d`; a bare number is refused."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise failed(f"{text!r} is no duration. Write the unit too: 30 s, 30 min, 2 h.", USAGE)
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST_S:
        raise failed(f"{text!r} is too long: at most a hundred years.", USAGE)
    return seconds


def parse_time(text: str, now_ns: int, zone: str) -> int:
    """UTC ns of `2026-11-22 13:00` (time of the site), `…Z`, `now`, or `-2h` before now."""
    words = text.strip()
    if words == "now":
        return now_ns
    if words.startswith("-") and _DURATION.fullmatch(words[1:]):
        return max(0, now_ns - int(parse_duration(words[1:]) * 1e9))
    try:
        stamp = dt.datetime.fromisoformat(words)
    except ValueError:
        raise failed(
            f"{text!r} is no time. Write -2h, now, 2026-11-22 13:00 (site time) or 2026-11-22T12:00:00Z.",
            USAGE,
        )
    if not 1970 < stamp.year < 2262:  # what 64 bits of ns since 1970 hold, in any zone
        raise failed(f"{text!r}: the year is not between 1971 and 2261.", USAGE)
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=ZoneInfo(zone))
    return int(stamp.timestamp() * 1e9)
