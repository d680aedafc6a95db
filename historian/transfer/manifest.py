"""What a backup is: a folder with copies of the history's files, and `manifest.json` that names them with their digests.

The manifest is written last. A folder without one is a backup that was not finished.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from historian.store import StoreError
from historian.transfer.files import write_json

FILE: Final = "manifest.json"
PROGRESS: Final = "manifest.unfinished.json"
VERSION: Final = 1
HISTORY: Final = "history"
IDS: Final = "state/tags.json"
_READ: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Copied:
    """One file of a backup.

    Attributes:
        size: Bytes.
        digest: BLAKE2b-256 of its bytes, hex.
        key: Of a day's file; "" of others.
        seal: Digest of the contents of a sealed day, hex; "" of a day that may still change and of other files.
    """

    size: int
    digest: str
    key: str = ""
    seal: str = ""

    def unchanged(self, key: str, seal: str) -> bool:
        """A day with this key and seal has the same contents."""
        return bool(seal) and (self.key, self.seal) == (key, seal)


@dataclass(slots=True)
class Manifest:
    """Everything about a backup.

    Attributes:
        made_ns: Moment that it shows, UTC, ns.
        store: Key of the history.
        tags: How many tags there are.
        files: By name, relative to the backup's folder, with `/`.
        gone: Days that retention deleted while they were to be copied.
        damaged: Files that SQLite cannot read; they were copied byte by byte.
    """

    made_ns: int
    store: str
    tags: int = 0
    files: dict[str, Copied] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def write(self, folder: Path, name: str = FILE) -> None:
        """Writes it, with a digest of itself.

        Raises:
            OSError: The disk does not let it.
        """
        document = {"version": VERSION, **asdict(self)}
        write_json(folder / name, document | {"digest": _digest(document)})


def read(folder: Path, name: str = FILE) -> Manifest:
    """The manifest of a backup.

    Raises:
        StoreError: There is none, it is damaged, or of a later version.
    """
    path = folder / name
    try:
        document = orjson.loads(path.read_bytes())
        digest = document.pop("digest")
        if document["version"] != VERSION:
            raise StoreError(
                f"{path} is of version {document['version']}, wanted {VERSION}: made by a newer program"
            )
        if _digest(document) != digest:
            raise StoreError(f"{path} is damaged: its digest is another")
        del document["version"]
        files = {str(at): Copied(**values) for at, values in document.pop("files").items()}
        return Manifest(**document, files=files)
    except FileNotFoundError:
        raise StoreError(f"{folder} is no backup, or one that was not finished: {name} is missing") from None
    except (KeyError, TypeError, AttributeError, orjson.JSONDecodeError):
        raise StoreError(f"{path} is damaged") from None


def digest_of(path: Path, tell: Callable[[int], None] = lambda _: None) -> str:
    """BLAKE2b-256 of a file, hex.

    Args:
        path: Of the file.
        tell: Told the bytes of each step.

    Raises:
        OSError: It cannot be read.
    """
    state = hashlib.blake2b(digest_size=32)
    with path.open("rb") as file:
        while part := file.read(_READ):
            state.update(part)
            tell(len(part))
    return state.hexdigest()


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.blake2b(orjson.dumps(document, option=orjson.OPT_SORT_KEYS), digest_size=32).hexdigest()
