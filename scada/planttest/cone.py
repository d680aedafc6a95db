"""The part of a program that some tags depend on: an invariant is searched in it, much faster than in the whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from scada.blocks import registry
from scada.scan.program import Recorder
from tags import expression
from tags.model import ALARM, BLOCK, COMMAND, DEVICE, Block, Site, Tag
from tags.site.plant_tests_compiled import Follow


def relevant(site: Site, paths: Iterable[str], follow: Iterable[Follow] = ()) -> tuple[Site, frozenset[str]]:
    """A smaller site in which these tags behave as in the whole one.

    A block belongs to it when it writes something that is needed, or works with a block that does (an interlock and
    its motor, a group and its members); then everything that it touches is needed too. So do alarms that are read.

    Args:
        site: The whole.
        paths: What is asked about.
        follow: How devices make values of others.

    Returns:
        The smaller site, and the paths that matter in it.
    """
    blocks = [_Touched(site, block) for block in site.blocks]
    names = {block.path for block in site.blocks}
    models = {one.path: one for one in follow}
    alarms = {alarm.path: alarm for alarm in site.alarms}
    tags = site.by_path()
    needed: set[str] = set()
    kept: set[str] = set()
    todo = list(paths)
    while todo:
        path = todo.pop()
        if path in needed:
            continue
        needed.add(path)
        todo += _of_model(models.get(path))
        if path in alarms:
            alarm = alarms[path]
            todo += [alarm.tag, *(() if alarm.unless is None else expression.parse(alarm.unless).paths)]
            todo += [f"system/{alarm.device}/COMMS"] if alarm.device is not None else []
        tag = tags.get(path)
        if tag is not None and tag.command is not None:
            todo.append(tag.command)
        for block in blocks:
            if block.path not in kept and (path in block.writes or path == block.path):
                kept.add(block.path)
                todo += block.touches
                todo += block.mentions & names
                todo += [other.path for other in blocks if block.path in other.mentions]
    return _smaller(site, kept, needed), frozenset(needed & tags.keys())


class _Touched:
    """What one block reads, writes and mentions."""

    def __init__(self, site: Site, config: Block) -> None:
        tags = site.by_path()
        binder = Recorder(site, tags)
        binder.reads, binder.rows = set(), set()
        registry.build(config, binder)
        by_slot = list(binder.index)
        self.path = config.path
        self.writes = {*config.points.values(), *(binder.output_paths[row] for row in binder.rows)}
        self.touches = {*self.writes, *(by_slot[slot] for slot in binder.reads)}
        self.mentions = set(strings(config.config))


def strings(data: Any) -> Iterator[str]:
    """All texts in a configuration."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from strings(key)
            yield from strings(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from strings(value)


def _of_model(follow: Follow | None) -> list[str]:
    if follow is None:
        return []
    found = [path for path in (follow.start, follow.stop) if path is not None]
    for formula in (follow.of, follow.rate):
        found += formula.paths if formula is not None else ()
    return found


def _smaller(site: Site, kept: set[str], needed: set[str]) -> Site:
    """The site without blocks, alarms, outputs and points that do not matter."""
    blocks = tuple(block for block in site.blocks if block.path in kept)
    alarms = tuple(alarm for alarm in site.alarms if alarm.path in needed)
    dropped = {DEVICE, COMMAND, BLOCK, ALARM}
    points = {path for block in blocks for path in block.points.values()}
    remotes = {tag.remote for tag in site.tags if tag.path in needed}
    tags: list[Tag] = []
    rows: dict[str, int] = {}
    for tag in site.tags:
        if (
            tag.kind in dropped
            and tag.path not in needed
            and tag.path not in points
            and tag.path not in remotes
        ):
            continue
        row = rows.get(tag.writer, 0)
        rows[tag.writer] = row + 1
        tags.append(tag if tag.row == row else replace(tag, row=row))
    return replace(site, blocks=blocks, alarms=alarms, tags=tuple(tags))
