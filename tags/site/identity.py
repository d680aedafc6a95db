"""Persistent tag ids and rows: an id never changes its tag; a renamed tag (`was:`) keeps its id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from tags.model import DEVICE, Tag
from tags.site.building import Building, Scope

ID_MAX = 2**32 - 1


def number(build: Building, ids: Mapping[str, int]) -> tuple[Tag, ...]:
    """Gives every tag its id and its row.

    Args:
        build: All tags.
        ids: Ids given out before, by path; also those of tags that are no longer there, which are never given again.

    Returns:
        The tags in order of writer, then row. Tags of one device and scan group have neighbouring rows.
    """
    given = _ids(build, ids)
    rows: dict[str, int] = defaultdict(int)
    finished = sorted(build.tags.values(), key=_order)  # sorted is stable: as written within a group
    put = (
        object.__setattr__
    )  # nobody else holds these tags yet, and copying 25,000 of them takes half a second
    for tag in finished:
        put(tag, "id", given[tag.path])
        put(tag, "row", rows[tag.writer])
        rows[tag.writer] += 1
    return tuple(finished)


def _order(tag: Tag) -> tuple[str, int, str, int]:
    return tag.writer, int(tag.kind != DEVICE), tag.device or "", tag.scan_ns


def _ids(build: Building, ids: Mapping[str, int]) -> dict[str, int]:
    given: dict[str, int] = {}
    claimed: dict[str, str] = {}
    # A path that was renamed away stays in the table with the same id: the newest path of those in use has it.
    owner = {known: path for path, known in ids.items() if path in build.tags}
    following = max(ids.values(), default=0) + 1
    for path, tag in build.tags.items():
        if tag.was is not None and (tag.was in build.tags or tag.was in claimed):
            other = claimed.get(tag.was, tag.was)
            Scope(build, build.sources[path], path).report(
                ("was",),
                f"{tag.was} is {'still a tag' if other == tag.was else f'continued by {other} already'}. Only one tag can continue its history: correct was:.",
            )
        elif tag.was is not None:
            claimed[tag.was] = path
            if (
                ids.get(path, 0) != ids.get(tag.was, ids.get(path, 0))
                and path in ids
                and ids[tag.was] not in owner
            ):
                Scope(build, build.sources[path], path).report(
                    ("was",),
                    f"was: comes too late: {path} has had a history of its own since it first ran, and two are not joined."
                    f" Remove was:, and bring {tag.was} over with scada history export and import.",
                )
        known = next(
            (
                ids[name]
                for name in (path, tag.was)
                if name is not None and name in ids and owner.get(ids[name], path) == path
            ),
            None,
        )
        if known is None:
            known, following = following, following + 1
        owner[known] = path
        given[path] = known
    return given
