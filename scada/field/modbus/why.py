"""Why a connection could not be made, in the words of a person who looks for the reason."""

from __future__ import annotations

import os
import re
from typing import Final

_FAILED: Final = "Connect call failed"  # what asyncio says instead of the operating system's reason
_NUMBER: Final = re.compile(r"Errno (\d+)")
_OPENSSL: Final = re.compile(r"^\[SSL[^\]]*\] | \(_ssl\.c:\d+\)$")


def why(error: Exception) -> str:
    """The reason that an error carries, without what only a programmer reads.

    Args:
        error: Of opening a socket, a TLS session or a serial port.

    Returns:
        For example `connection refused`; never empty.
    """
    text = str(error)
    if _FAILED in text:
        reasons = dict.fromkeys(os.strerror(int(number)) for number in _NUMBER.findall(text))
        words = " or ".join(reasons) or "connection failed"
    else:
        words = getattr(error, "strerror", None) or text or type(error).__name__
    words = _OPENSSL.sub("", words)
    first = words.split()[0]
    return words[0].lower() + words[1:] if first == first.capitalize() else words
