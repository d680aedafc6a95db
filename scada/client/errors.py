"""What can go wrong between a client and its plant, in plain words."""

from __future__ import annotations


class NotRunningError(RuntimeError):
    """No plant runs in the data directory, or it stopped while we looked."""


class SiteChangedError(NotRunningError):
    """The plant was started again with a changed site: tags have other places now. Open a new client."""


NotRunning = NotRunningError
SiteChanged = SiteChangedError
