"""The files of a site folder."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tags.site.document import Document, read
from tags.site.problems import Place, Problems

FILES_MAX: Final = 5000
_IGNORED: Final = frozenset({"tests", "node_modules", "__pycache__"})


@dataclass(slots=True)
class Folder:
    """What a site folder holds.

    Attributes:
        documents: YAML files in order of path.
        drawings: SVG files by path relative to the folder.
        calendars: Calendar files (.ics) by path relative to the folder.
        sources: Blocks in Python (`blocks/*.py`) by path relative to the folder.
        digest: SHA-256 over names and contents, hex.
    """

    documents: list[Document] = field(default_factory=list)
    drawings: dict[str, bytes] = field(default_factory=dict)
    calendars: dict[str, bytes] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    digest: str = ""


def load(root: Path, problems: Problems) -> Folder:
    """Reads all YAML, SVG and calendar files below a folder; hidden folders and `tests` are left out."""
    folder = Folder()
    if not root.is_dir():
        problems.add(Place(str(root)), "there is no such folder. Name the folder that holds site.yaml.")
        return folder
    hashed = hashlib.sha256()
    paths = list(_paths(root))
    if len(paths) > FILES_MAX:
        problems.add(Place(str(root)), f"the folder holds {len(paths)} files. Name the folder of one site.")
        return folder
    for path in paths:
        name = path.relative_to(root).as_posix()
        try:
            content = path.read_bytes()
        except OSError as error:
            problems.add(Place(name), f"cannot be read: {error.strerror}. Correct its rights or remove it.")
            continue
        hashed.update(
            len(name).to_bytes(4, "big") + name.encode() + len(content).to_bytes(8, "big") + content
        )
        if path.suffix == ".svg":
            folder.drawings[name] = content
        elif path.suffix == ".ics":
            folder.calendars[name] = content
        elif path.suffix == ".py":
            try:
                folder.sources[name] = content.decode()
            except UnicodeDecodeError:
                problems.add(Place(name, 1, 1), "not UTF-8 text. Save it as UTF-8.")
        else:
            document = read(name, content, problems)
            if document is not None:
                folder.documents.append(document)
    folder.digest = hashed.hexdigest()
    if not folder.documents and not any(path.suffix in (".yaml", ".yml") for path in paths):
        problems.add(
            Place(str(root)), "no YAML file is in this folder. Begin with site.yaml: site:, timezone:."
        )
    return folder


def _paths(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _IGNORED and not name.startswith("."))
        found.extend(
            Path(folder, name)
            for name in sorted(files)
            if _is_block(root, folder, name)
            or (name.endswith((".yaml", ".yml", ".svg", ".ics")) and not name.startswith("."))
        )
    return sorted(found)


def _is_block(root: Path, folder: str, name: str) -> bool:
    """A block in Python: directly in `blocks/`; what begins with `_`, `.` or `test_` is the owner's business."""
    return (
        name.endswith(".py") and not name.startswith(("_", ".", "test_")) and Path(folder) == root / "blocks"
    )
