"""Disks as a power cut leaves them, made from the steps that `forgetful` wrote down.

What was flushed is there. Of what was not, anything may be there: nothing, all, the first part, or any part of it in any
order, torn at 512 bytes. That holds for the data of a file and for the names in a folder, which have to be flushed by
themselves; a file that was flushed without its folder may have no name.
"""

from __future__ import annotations

import random
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.faults.forgetful import ROOT, Step

SECTOR: Final = 512
_MODES: Final = ("none", "all", "first", "some")


class Disk:
    """What is on the disk for certain, and what is on its way.

    Attributes:
        said: What the command said until now.
    """

    def __init__(self) -> None:
        self._names: dict[int, dict[str, int]] = {ROOT: {}}
        self._data: dict[int, bytearray] = {}
        self._names_coming: list[Step] = []
        self._coming: dict[int, list[Step]] = {}
        self.said: list[str] = []

    def take(self, step: Step) -> None:
        """One step of the file system."""
        kind = step[0]
        if kind == "said":
            self.said += step[1].split()
        elif kind in ("unlink", "rename"):
            self._names_coming.append(step)
        elif kind == "make":
            if stat.S_ISDIR(step[4]):
                self._names[step[1]] = {}
            else:
                self._data[step[1]] = bytearray()
            self._names_coming.append(step)
        elif kind == "flush":
            self._flush(step[1])
        else:
            self._coming.setdefault(step[1], []).append(step)

    def cut(self, chance: random.Random) -> dict[str, bytes]:
        """Files by path as they may be after a power cut now.

        Args:
            chance: Decides what else got through; `everything` lets all through, as after a kill.
        """
        names = {folder: dict(entries) for folder, entries in self._names.items()}
        for step in _some(self._names_coming, chance):
            _rename(names, step)
        found = dict(_walk(names, ROOT, ""))
        return {path: self._content(node, chance) for path, node in found.items()}

    def _flush(self, node: int) -> None:
        if node in self._names:
            waiting, self._names_coming = self._names_coming, []
            for step in waiting:
                if node in _folders(step):
                    _rename(self._names, step)
                else:
                    self._names_coming.append(step)
            return
        for step in self._coming.pop(node, []):
            _write(self._data[node], step)

    def _content(self, node: int, chance: random.Random) -> bytes:
        data = bytearray(self._data[node])
        for step in _some(list(_torn(self._coming.get(node, []), chance)), chance):
            _write(data, step)
        return bytes(data)


class _Everything(random.Random):
    def choice(self, seq: Any) -> Any:
        return "all" if seq is _MODES else seq[0]


everything: Final = _Everything(0)


def write_out(files: dict[str, bytes], folder: Path) -> None:
    """Makes the files of a disk under a folder."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _some(steps: list[Step], chance: random.Random) -> list[Step]:
    match chance.choice(_MODES):
        case "none":
            return []
        case "all":
            return steps
        case "first":
            return steps[: chance.randint(0, len(steps))]
        case _:
            share = chance.random()
            return [step for step in steps if chance.random() < share]


def _torn(steps: Iterable[Step], chance: random.Random) -> Iterator[Step]:
    for step in steps:
        if step[0] != "write" or chance is everything or len(step[3]) <= SECTOR or chance.random() < 0.5:
            yield step
            continue
        _, node, offset, data = step
        for at in range(0, len(data), SECTOR * 8):
            cut = chance.randint(0, 8) * SECTOR
            for start, end in ((at, at + cut), (at + cut, at + 8 * SECTOR)):
                if piece := data[start:end]:
                    yield "write", node, offset + start, piece


def _write(data: bytearray, step: Step) -> None:
    if step[0] == "size":
        size = step[2]
        data.extend(bytes(max(0, size - len(data))))
        del data[size:]
        return
    _, _, offset, piece = step
    data.extend(bytes(max(0, offset - len(data))))
    data[offset : offset + len(piece)] = piece


def _folders(step: Step) -> tuple[int, ...]:
    match step:
        case ("make", _, folder, _, _) | ("unlink", folder, _):
            return (folder,)
        case (_, folder, _, target, _):
            return folder, target
    raise ValueError(step)


def _rename(names: dict[int, dict[str, int]], step: Step) -> None:
    match step:
        case ("make", node, folder, name, _):
            names[folder][name] = node
        case ("unlink", folder, name):
            names[folder].pop(name, None)
        case ("rename", folder, name, target, new):
            if name in names[folder]:
                names[target][new] = names[folder].pop(name)


def _walk(names: dict[int, dict[str, int]], folder: int, path: str) -> Iterator[tuple[str, int]]:
    for name, node in names[folder].items():
        if node in names:
            yield from _walk(names, node, f"{path}{name}/")
        else:
            yield f"{path}{name}", node
