"""Asks the running simulators for a fault or a panel action, for the command line and for tests."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import orjson

from scada.datadir import DataDir

MESSAGE_MAX = 60_000


def socket_path(data: DataDir) -> Path:
    """Where the simulators listen; resolved, because the path of a socket may have 107 bytes at most."""
    return Path(os.path.realpath(data.run)) / data.simulate_socket.name


def inject(data: DataDir, message: dict[str, object], timeout_s: float = 5.0) -> dict[str, object]:
    """Sends one message to the simulators of a data directory and waits for the answer.

    Args:
        data: Of the running plant, or of `scada simulate`.
        message: `{"device": "PLC1", "do": "unplug" | "plug" | "freeze" | "thaw" | "power_cycle"}` or
            `{"device": "PLC1", "set": {"LV-101.local": true, "LV-101.hand": 40}}`.
        timeout_s: Seconds to wait for the answer.

    Returns:
        `{"ok": true}` or `{"error": "…"}`.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("")  # Linux gives it a name of its own
        sock.settimeout(timeout_s)
        try:
            sock.connect(str(socket_path(data)))
            sock.send(orjson.dumps(message))
            answer: dict[str, object] = orjson.loads(sock.recv(MESSAGE_MAX))
        except TimeoutError:
            return {"error": f"the simulators of {data.root} did not answer within {timeout_s:g} s"}
        except OSError:
            return {
                "error": f"no simulators are running in {data.root}. Start them with: scada demo, or scada simulate SITE"
            }
    return answer
