"""The `scada` command: one file a group of verbs, words and exit codes in `render`.

Everything that talks to a running plant goes through `scada.client`; nothing here touches the image, a socket or
the store directly.
"""

from scada.cli.app import main

__all__ = ["main"]
