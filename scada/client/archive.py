"""History of a plant that does not run: what its data directory has kept."""

from __future__ import annotations

from pathlib import Path

import orjson

from historian.query import History
from historian.reader import open_reader
from historian.store import Samples, Store, StoreError, TagEntry
from scada.client.past import Past
from scada.datadir import DataDir
from tags import model
from tags.model import MEMORY, Site, Tag


class Archive(Past):
    """Stored samples without a running plant.

    Args:
        data: The plant's data directory.

    Attributes:
        tags: Of all that history knows, by path. While the plant's compiled site is still there (until the machine
            is started anew) with unit and states, else with path and type alone.
        earlier: Tags that were renamed (`was:`), by the paths that they had before.
        timezone: Of the site; `UTC` when that is not known.

    Raises:
        StoreError: There is no history, or it cannot be read.
    """

    def __init__(self, data: Path | str) -> None:
        self.data = DataDir(Path(data))
        self._store = open_reader(self.data.history)
        try:
            self._ids = self._store.ids()
        except StoreError:
            self._store.close()
            raise
        site = self._site()
        self.timezone = site.timezone if site else "UTC"
        described = site.by_path() if site else {}
        self.tags = {path: described.get(path) or _plain(entry) for path, entry in self._ids.items()}
        self.earlier = self._earlier_names()

    def history(
        self, path: str, start_ns: int, end_ns: int, limit: int = 100_000, *, originals: bool = False
    ) -> Samples:
        """As `Client.history`.

        Raises:
            KeyError: History has no such tag.
            StoreError: It cannot be read.
        """
        return self._store.raw(self._tag(path).id, start_ns, end_ns, limit, originals=originals)

    def close(self) -> None:
        """Lets go of the files."""
        self._store.close()

    def _past(self) -> History:
        return History(self._store, self.timezone)

    def _earlier_names(self) -> dict[str, Tag]:
        try:
            names = orjson.loads(self.data.tag_ids.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        by_id = {tag.id: tag for tag in self.tags.values()}
        return {
            path: by_id[number] for path, number in names.items() if path not in self.tags and number in by_id
        }

    def _kept(self) -> Store:
        return self._store

    def _tag(self, path: str) -> Tag:
        found = self.tags.get(path) or self.earlier.get(path)
        if found is None:
            raise KeyError(f"{path}: history has no such tag")
        return found

    def _site(self) -> Site | None:
        try:
            return model.load(self.data.site_json.read_bytes())
        except (OSError, ValueError):
            return None


def _plain(entry: TagEntry) -> Tag:
    return Tag(id=entry.id, path=entry.path, type=entry.type, kind=MEMORY, writer="", row=0)
