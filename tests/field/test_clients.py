"""Which client and which window a device may have."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from scada.field.modbus.config import Config

TLS = {"ca": "ca.pem", "certificate": "a.pem", "key": "a.key"}


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"endpoint": "tcp://plc", "client": "pymodbus", "window": 2}, "one request on its way, not 2"),
        ({"endpoint": "rtu+tcp://plc:4001", "window": 2}, "one request at a time, not 2"),
        ({"endpoint": "tcp://plc", "window": 17}, "16"),
        ({"endpoint": "tcp://plc", "window": 0}, "1"),
        ({"endpoint": "rtu:///dev/ttyS0", "client": "pymodbus"}, "late reply"),
        ({"endpoint": "rtu+tcp://plc:4001", "client": "pymodbus"}, "late reply"),
        ({"endpoint": "tcp://plc", "client": "libmodbus"}, "native"),
    ],
)
def test_refused(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        Config.model_validate(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"endpoint": "tcp://plc"},
        {"endpoint": "tcp://plc", "window": 16},
        {"endpoint": "tls://plc", "tls": TLS, "client": "pymodbus"},
        {"endpoint": "tls://plc", "tls": {**TLS, "server_name": "x"}, "window": 4},
        {"endpoint": "tls://plc", "tls": {**TLS, "server_name": "x"}, "client": "pymodbus"},
        {"endpoint": "rtu:///dev/ttyS0"},
    ],
)
def test_allowed(settings: dict[str, Any]) -> None:
    assert Config.model_validate(settings).at.scheme == settings["endpoint"].split(":")[0]
