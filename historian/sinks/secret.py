"""Secrets: read where they are kept, when they are needed; never stored, never in a message."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tags.model import Secret


def read(secret: Secret) -> str:
    """A secret, from where it is kept.

    Raises:
        ValueError: It is not there, or others can read it; the message names the place, never the secret.
    """
    if secret.env:
        found = os.environ.get(secret.env, "")
        if not found:
            raise ValueError(f"the environment variable {secret.env} is not set")
        return found
    path = Path(secret.file)
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o007:
            raise ValueError(f"{path} can be read by everybody: chmod o= it")
        first = path.read_text().partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not first:
        raise ValueError(f"{path} is empty")
    return first
