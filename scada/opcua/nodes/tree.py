"""Which tags and folders lie in which folder: names and numbers only, for a hundred thousand tags. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tags.model import Tag


class Tree:
    """The folders of a site by the paths of its tags.

    A tag below another tag (`tank1/LT-101/HH`) is its component; everything else lies in folders. A child is a row
    (a tag) or a path (a folder), tags and folders in the order of the site.

    Args:
        tags: In order of row.
    """

    def __init__(self, tags: Sequence[Tag]) -> None:
        self.rows = {tag.path: row for row, tag in enumerate(tags)}
        self.children: dict[str, list[int | str]] = {"": []}
        """By path of a folder, or of a tag that has some; `""` is the top."""
        self.folders: dict[str, None] = {}
        for path, row in sorted(self.rows.items()):
            self._place(path, row)

    def _place(self, path: str, child: int | str) -> None:
        parent = path.rpartition("/")[0]
        siblings = self.children.get(parent)
        if siblings is None:
            siblings = self.children[parent] = []
            if parent not in self.rows:
                self.folders[parent] = None
                self._place(parent, parent)
        siblings.append(child)

    def of(self, path: str) -> Iterable[int | str]:
        """What lies in a folder, or below a tag; nothing for a path that is neither."""
        return self.children.get(path, ())
