"""What moved since the last look, for servers that push: one numpy comparison for all tags."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scada.client.images import Images


class Changes:
    """Tells which tags changed value or shown status (staleness counts) since it was last asked.

    The first `poll` gives every tag. Made by `Client.changes`.
    """

    def __init__(self, images: Callable[[], Images], refresh: Callable[[], None]) -> None:
        self._images = images
        self._refresh = refresh
        self._from: Images | None = None
        self._version = np.empty(0, np.uint64)
        self._shown = np.empty(0, np.uint32)

    def poll(self, *, refresh: bool = True) -> list[int]:
        """Global indices (`Client.tag_list`) of the tags that changed, rising.

        Args:
            refresh: Look at the images first; False when several of these share one `Client.refresh`.
        """
        if refresh:
            self._refresh()
        images = self._images()
        if images is not self._from:
            self._from = images
            self._version = images.version.copy()
            self._shown = images.shown.copy()
            return list(range(len(images.tags)))
        moved = np.flatnonzero((images.version != self._version) | (images.shown != self._shown))
        if len(moved):
            self._version[moved] = images.version[moved]
            self._shown[moved] = images.shown[moved]
        found: list[int] = moved.tolist()
        return found
