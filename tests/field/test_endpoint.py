"""Endpoints as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.modbus.endpoint import Endpoint, parse


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("tcp://10.0.0.7:1502", Endpoint("tcp", "10.0.0.7", 1502)),
        ("tcp://plc-1.plant", Endpoint("tcp", "plc-1.plant", 502)),
        ("tcp://[fe80::1]:502", Endpoint("tcp", "fe80::1", 502)),
        ("TLS://PLC1", Endpoint("tls", "plc1", 802)),
        ("rtu+tcp://gateway:4001", Endpoint("rtu+tcp", "gateway", 4001)),
        ("rtu:///dev/serial/by-id/usb-1", Endpoint("rtu", path="/dev/serial/by-id/usb-1")),
    ],
)
def test_understood(text: str, endpoint: Endpoint) -> None:
    assert parse(text) == endpoint
    assert parse(str(endpoint)) == endpoint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("10.0.0.7:502", "does not begin with tcp://"),
        ("udp://10.0.0.7", "does not begin with tcp://"),
        ("tcp://", "no host"),
        ("tcp://:502", "no host"),
        ("tcp://plc:0", "no port"),
        ("tcp://plc:70000", "no port"),
        ("tcp://plc:x", "no port"),
        ("tcp://plc/1", "more than a host"),
        ("tcp://me@plc", "more than a host"),
        ("tcp://[::1", "is no endpoint"),
        ("rtu+tcp://gateway", "no port"),
        ("rtu://dev/ttyUSB0", "three slashes"),
        ("rtu://", "three slashes"),
        ("rtu:///", "three slashes"),
        ("rtu:dev/ttyUSB0", "three slashes"),
        ("rtu:///dev/ttyS0?baud=9600", "three slashes"),
    ],
)
def test_refused_with_what_to_write(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what) as error:
        parse(text)
    assert "endpoint: " in str(error.value)


@given(
    st.builds(
        "".join,
        st.tuples(
            st.sampled_from(("", "tcp://", "tls://", "rtu:", "rtu://", "rtu:///", "rtu+tcp://")),
            st.text(max_size=20),
        ),
    )
)
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        endpoint = parse(text)
    except ValueError:
        return
    assert parse(str(endpoint)) == endpoint
