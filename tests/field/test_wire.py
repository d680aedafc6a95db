"""Requests and replies byte for byte, as the worked examples of the standard have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.modbus import wire
from scada.modbus.wire import Pdu

# MODBUS Application Protocol Specification V1.1b3, the example of each function: (request, reply), function code first.
EXAMPLES = [
    (wire.read("coil", 19, 19), "01 0013 0013", "01 03 CD6B05"),  # 6.1
    (wire.read("discrete", 196, 22), "02 00C4 0016", "02 03 ACDB35"),  # 6.2
    (wire.read("holding", 107, 3), "03 006B 0003", "03 06 022B 0000 0064"),  # 6.3
    (wire.read("input", 8, 1), "04 0008 0001", "04 02 000A"),  # 6.4
    (wire.write_coil(172, True), "05 00AC FF00", "05 00AC FF00"),  # 6.5
    (wire.write_register(1, b"\x00\x03"), "06 0001 0003", "06 0001 0003"),  # 6.6
    (wire.write_registers(1, bytes.fromhex("000A0102")), "10 0001 0002 04 000A 0102", "10 0001 0002"),  # 6.12
    (wire.mask_write(4, 0x00F2, 0x0025), "16 0004 00F2 0025", "16 0004 00F2 0025"),  # 6.16
    (
        wire.write_coils(19, [bool(0x01CD >> i & 1) for i in range(10)]),
        "0F 0013 000A 02 CD01",
        "0F 0013 000A",
    ),  # 6.11
]


@pytest.mark.parametrize(("pdu", "request_hex", "reply_hex"), EXAMPLES)
def test_examples_of_the_standard(pdu: Pdu, request_hex: str, reply_hex: str) -> None:
    assert bytes((pdu.function,)) + pdu.data == bytes.fromhex(request_hex)
    reply = bytes.fromhex(reply_hex)
    assert reply[0] == pdu.function
    assert pdu.answered_by(reply[1:])


@given(st.sampled_from([pdu for pdu, _, _ in EXAMPLES]), st.binary(max_size=12))
def test_a_reply_of_another_length_or_echo_is_no_reply(pdu: Pdu, data: bytes) -> None:
    if pdu.answered_by(data):
        assert len(data) == pdu.reply_bytes
        assert data.startswith(pdu.reply_head)
    assert pdu.reply_bytes is not None
    right = pdu.reply_head.ljust(pdu.reply_bytes, b"\0")
    assert pdu.answered_by(right)
    assert not pdu.answered_by(right + b"\0")
    assert not pdu.answered_by(right[:-1])
