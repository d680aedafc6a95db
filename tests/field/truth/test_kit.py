"""The kit itself: its frames are those of the standard, and its judge knows the truth."""

from __future__ import annotations

import pytest

from tests.field.truth.device import Truth
from tests.field.truth.framing import MBAP, RTU, Requests, crc, mbap, rtu, sealed

READ = bytes.fromhex("030000 0002")


def test_frames_are_those_of_the_standard() -> None:
    assert crc(bytes.fromhex("0207")) == 0x1241  # Modbus over Serial Line 1.02, appendix B
    assert sealed(bytes.fromhex("0207")) == bytes.fromhex("02074112")
    assert rtu(2, b"\x07") == bytes.fromhex("02074112")
    assert mbap(0x0102, 3, b"\x07") == bytes.fromhex("010200000002 03 07")


@pytest.mark.parametrize("framing", [MBAP, RTU])
def test_requests_are_taken_apart_however_they_arrive(framing: str) -> None:
    sent = [READ, bytes.fromhex("10 0001 0002 04 00010002"), bytes.fromhex("16 0001 00FF 0001"), READ]
    stream = b"".join(mbap(n, 1, pdu) if framing == MBAP else rtu(1, pdu) for n, pdu in enumerate(sent))
    for step in (1, 3, len(stream)):
        requests = Requests(framing)
        found = [
            pdu for at in range(0, len(stream), step) for _, _, pdu in requests.feed(stream[at : at + step])
        ]
        assert found == sent


def test_the_truth_changes_and_is_known() -> None:
    truth = Truth()
    one, two = truth.carry_out(1, READ, 100), truth.carry_out(1, READ, 200)
    foreign = truth.carry_out(2, READ, 200)
    assert len({one, two, foreign}) == 3
    assert truth.verdict(1, READ, one, 50, 150) == ""
    assert truth.verdict(1, READ, two, 150, 250) == ""
    assert "old" in truth.verdict(1, READ, one, 150, 250)
    assert "never" in truth.verdict(1, READ, two, 50, 150)  # not known yet
    assert "never" in truth.verdict(1, READ, foreign, 50, 250)
    assert "never" in truth.verdict(1, READ, one[:4] + two[4:], 50, 250)
