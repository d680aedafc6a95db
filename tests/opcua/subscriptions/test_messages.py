"""Messages as asyncua's decoder reads them."""

from __future__ import annotations

import struct

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from scada.opcua.subscriptions import messages

NOW = 1_763_800_000_123_456_700
U4 = st.integers(0, 2**32 - 1)


def decoded(body: bytes) -> ua.PublishResponse:
    buffer = Buffer(body)
    assert nodeid_from_binary(buffer.copy()).Identifier == ua.ObjectIds.PublishResponse_Encoding_DefaultBinary
    response = struct_from_binary(ua.PublishResponse, buffer)
    assert len(buffer) == 0
    return response


@given(U4, U4, st.lists(U4, max_size=4), U4, st.lists(U4, max_size=3), st.booleans())
def test_a_publish_response_decodes(
    handle: int, subscription: int, available: list[int], sequence: int, results: list[int], more: bool
) -> None:
    event = ua.EventFieldList(ClientHandle=7, EventFields=[ua.Variant(1.5), ua.Variant("x")])
    data = [messages.events([event]), messages.status_change(0x800A0000)]
    message = messages.notification(sequence, NOW, data)
    body = messages.publish_response(handle, NOW, subscription, available, message, results, more=more)
    found = decoded(body)
    assert found.ResponseHeader.RequestHandle == handle
    assert found.Parameters.SubscriptionId == subscription
    assert (found.Parameters.AvailableSequenceNumbers or []) == available
    assert found.Parameters.MoreNotifications is more
    assert [one.value for one in found.Parameters.Results or []] == results
    first, second = found.Parameters.NotificationMessage.NotificationData
    assert found.Parameters.NotificationMessage.SequenceNumber == sequence
    assert first.Events[0].ClientHandle == 7
    assert [one.Value for one in first.Events[0].EventFields] == [1.5, "x"]
    assert second.Status.value == 0x800A0000


def test_a_keep_alive_has_no_data() -> None:
    body = messages.publish_response(1, NOW, 2, [], messages.notification(3, NOW, []), [], more=False)
    assert not decoded(body).Parameters.NotificationMessage.NotificationData


@given(st.lists(st.tuples(U4, U4), max_size=5))
def test_acknowledgements_are_what_asyncua_encodes(wanted: list[tuple[int, int]]) -> None:
    params = ua.PublishParameters(
        [ua.SubscriptionAcknowledgement(subscription, number) for subscription, number in wanted]
    )
    assert messages.acknowledgements(struct_to_binary(params), 100) == wanted


@pytest.mark.parametrize("body", [b"", struct.pack("<i", 3) + bytes(8), struct.pack("<i", 2**31 - 1)])
def test_what_is_no_list_of_acknowledgements_is_refused(body: bytes) -> None:
    with pytest.raises(messages.ShortError):
        messages.acknowledgements(body, 100)
