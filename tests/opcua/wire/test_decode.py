"""The look at a message before it is decoded: it agrees with asyncua's decoder and bounds what that builds."""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import (
    from_binary,
    struct_from_binary,
    struct_to_binary,
    variant_from_binary,
    variant_to_binary,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scada.opcua import limits
from scada.opcua.wire import decode, header

CODES = ua.StatusCodes
TOKEN = ua.NodeId(b"t" * 32, 0, ua.NodeIdType.ByteString)
quick = settings(suppress_health_check=[HealthCheck.too_slow])


def refused(body: bytes, kind: type = ua.Variant) -> int:
    with pytest.raises(decode.DecodeError) as error:
        decode.check_value(kind, body)
    return error.value.status


node_ids = st.one_of(
    st.builds(lambda n: ua.NodeId(n, 0), st.integers(0, 2**32 - 1)),
    st.builds(ua.NodeId, st.text(min_size=1, max_size=30), st.integers(0, 9)),
    st.builds(lambda b: ua.NodeId(b, 1, ua.NodeIdType.ByteString), st.binary(max_size=30)),
    st.just(ua.NodeId(uuid.UUID(int=7), 2)),
)
scalars = st.one_of(
    st.floats().map(lambda v: ua.Variant(v, ua.VariantType.Double)),
    st.integers(-(2**31), 2**31 - 1).map(lambda v: ua.Variant(v, ua.VariantType.Int32)),
    st.text(max_size=20).map(lambda v: ua.Variant(v, ua.VariantType.String)),
    st.binary(max_size=20).map(lambda v: ua.Variant(v, ua.VariantType.ByteString)),
    st.just(ua.Variant(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), ua.VariantType.DateTime)),
    st.just(ua.Variant(uuid.UUID(int=5), ua.VariantType.Guid)),
    node_ids.map(lambda v: ua.Variant(v, ua.VariantType.NodeId)),
    st.just(ua.Variant(ua.LocalizedText("a", "en"), ua.VariantType.LocalizedText)),
    st.just(ua.Variant(ua.QualifiedName("a", 1), ua.VariantType.QualifiedName)),
    st.just(ua.Variant(ua.EUInformation(), ua.VariantType.ExtensionObject)),
    st.just(ua.Variant(ua.Argument(), ua.VariantType.ExtensionObject)),
    st.lists(st.integers(0, 255), max_size=9).map(
        lambda v: ua.Variant(v, ua.VariantType.Byte, is_array=True)
    ),
    st.lists(st.text(max_size=5), max_size=5).map(
        lambda v: ua.Variant(v, ua.VariantType.String, is_array=True)
    ),
)
variants = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4).map(
        lambda v: ua.Variant(v, ua.VariantType.Variant, is_array=True)
    ),
    max_leaves=8,
)


@quick
@given(variants)
def test_it_ends_where_asyncua_ends(value: ua.Variant) -> None:
    body = variant_to_binary(value)
    buffer = Buffer(body)
    variant_from_binary(buffer)
    assert decode.check_value(ua.Variant, body + b"more") == len(body) - len(buffer) == len(body)


@quick
@given(variants, st.data())
def test_what_passes_costs_asyncua_no_more_than_it_may(value: ua.Variant, data: st.DataObject) -> None:
    """Mutated bytes: whatever passes is decoded to the same end, or refused by asyncua itself."""
    body = bytearray(variant_to_binary(value))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    _agrees(bytes(body))


@quick
@given(st.binary(min_size=1, max_size=120))
@example(b"\x80" + struct.pack("<i", 100_000_000))
@example(b"\xd6\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
def test_noise_is_refused_or_harmless(noise: bytes) -> None:
    _agrees(noise)


def _agrees(body: bytes) -> None:
    try:
        end = decode.check_value(ua.Variant, body)
    except decode.DecodeError:
        return
    buffer = Buffer(body)
    try:
        variant_from_binary(buffer)
    except Exception:  # noqa: BLE001 - whatever asyncua raises is one client's BadDecodingError
        return
    assert end == len(body) - len(buffer)


def requests() -> list[Any]:
    """One of each kind, as clients send them."""
    node = ua.NodeId("tank1/LT-101", 2)
    read = ua.ReadRequest()
    read.Parameters.NodesToRead = [ua.ReadValueId(node, ua.AttributeIds.Value)] * 3
    write = ua.WriteRequest()
    write.Parameters.NodesToWrite = [
        ua.WriteValue(node, ua.AttributeIds.Value, None, ua.DataValue(ua.Variant(1.0)))
    ]
    items = ua.CreateMonitoredItemsRequest()
    item = ua.MonitoredItemCreateRequest(ItemToMonitor=ua.ReadValueId(node, ua.AttributeIds.Value))
    item.RequestedParameters.Filter = ua.DataChangeFilter()
    events = ua.MonitoredItemCreateRequest(ItemToMonitor=ua.ReadValueId(node, ua.AttributeIds.EventNotifier))
    where = ua.ContentFilterElement(
        ua.FilterOperator.Equals, [ua.LiteralOperand(ua.Variant(3)), ua.ElementOperand(1)]
    )
    events.RequestedParameters.Filter = ua.EventFilter(
        [ua.SimpleAttributeOperand(ua.NodeId(2041), [ua.QualifiedName("Severity")], 13)],
        ua.ContentFilter([where]),
    )
    items.Parameters.ItemsToCreate = [item, events]
    call = ua.CallRequest()
    call.Parameters.MethodsToCall = [
        ua.CallMethodRequest(node, node, [ua.Variant("text"), ua.Variant([1, 2])])
    ]
    history = ua.HistoryReadRequest()
    history.Parameters.HistoryReadDetails = ua.ReadRawModifiedDetails()
    history.Parameters.NodesToRead = [ua.HistoryReadValueId(node)]
    activate = ua.ActivateSessionRequest()
    activate.Parameters.UserIdentityToken = ua.UserNameIdentityToken("p", "anna", b"secret")
    browse = ua.BrowseRequest()
    browse.Parameters.NodesToBrowse = [ua.BrowseDescription(node)]
    publish = ua.PublishRequest()
    publish.Parameters.SubscriptionAcknowledgements = [ua.SubscriptionAcknowledgement(1, 2)]
    paths = ua.TranslateBrowsePathsToNodeIdsRequest()
    step = ua.RelativePathElement(ua.NodeId(33), TargetName=ua.QualifiedName("a"))
    paths.Parameters.BrowsePaths = [ua.BrowsePath(node, ua.RelativePath([step]))]
    found = [read, write, items, call, history, activate, browse, publish, paths, ua.CreateSessionRequest(),
             ua.CloseSessionRequest(), ua.OpenSecureChannelRequest(), ua.GetEndpointsRequest(),
             ua.CreateSubscriptionRequest(), ua.RegisterServerRequest()]  # fmt: skip
    for request in found:
        request.RequestHeader.AuthenticationToken = TOKEN
        request.RequestHeader.RequestHandle = 7
    return found


@pytest.mark.parametrize("request_", requests(), ids=lambda its: type(its).__name__)
def test_what_clients_send_passes(request_: Any) -> None:
    body = struct_to_binary(request_)
    decode.check(body)
    number, at = decode.request_number(body)
    assert number == request_.TypeId.Identifier
    its, after = header.read(body, at)
    assert (its.token, its.RequestHandle, its.AuthenticationToken) == (b"t" * 32, 7, TOKEN)
    assert after == decode.check_header(body, at)
    for end in range(4, len(body) - 1, 7):  # and no part of it is taken for the whole
        with pytest.raises(decode.DecodeError):
            decode.check(body[:end])


def test_every_structure_of_asyncua_is_walked() -> None:
    unknown = []
    for kind in set(ua.extension_objects_by_typeid.values()):
        try:
            body = struct_to_binary(kind())
        except Exception:  # noqa: BLE001 - asyncua cannot encode it, or needs arguments
            continue
        buffer = Buffer(body)
        try:
            struct_from_binary(kind, buffer)
        except Exception:  # noqa: BLE001 - asyncua cannot decode what it has encoded
            continue
        try:
            if decode.check_value(kind, body) != len(body) - len(buffer):
                unknown.append(kind.__name__)
        except decode.DecodeError as error:
            unknown.append(f"{kind.__name__}: {error}")
    assert unknown == []


def test_a_hundred_million_nulls_are_thirty_bytes_and_refused() -> None:
    assert refused(b"\x80" + struct.pack("<i", 100_000_000)) == CODES.BadEncodingLimitsExceeded
    assert refused(b"\x86" + struct.pack("<i", 2**31 - 1)) == CODES.BadDecodingError
    assert refused(b"\x86" + struct.pack("<i", -2)) == CODES.BadDecodingError


def test_a_structure_whose_type_is_null_is_refused() -> None:
    identifier = b"\x05\0\0\xff\xff\xff\xff"
    assert refused(b"\x16" + identifier + b"\0") == CODES.BadDecodingError
    top = ua.RequestHeader()
    whole = struct_to_binary(top)
    assert whole.endswith(b"\0\0\0")  # no additional header
    with pytest.raises(decode.DecodeError):
        header.read(whole[:-3] + identifier + b"\0", 0)


def test_many_arrays_of_nothing_are_refused_together() -> None:
    one = b"\x80" + struct.pack("<i", 60_000)
    assert refused(b"\x98" + struct.pack("<i", 3) + one * 3) == CODES.BadEncodingLimitsExceeded


def test_small_things_in_great_number_are_refused() -> None:
    nulls = b"\x98" + struct.pack("<i", 4) + (b"\x98" + struct.pack("<i", 50_000) + bytes(50_000)) * 4
    assert refused(nulls) == CODES.BadEncodingLimitsExceeded


@pytest.mark.parametrize("depth", [limits.DEPTH, limits.DEPTH + 1, 5_000])
def test_a_hundred_levels_are_decoded_and_more_are_refused(depth: int) -> None:
    nested = b"\x98\x01\x00\x00\x00" * (depth - 1) + b"\x01\x01"
    if depth > limits.DEPTH:
        assert refused(nested) == CODES.BadEncodingLimitsExceeded
    else:
        assert decode.check_value(ua.Variant, nested) == len(nested)
        from_binary(ua.Variant, Buffer(nested))


def test_nested_extension_objects_are_refused_beyond_a_hundred() -> None:
    body = b"\x01\x01"
    for _ in range(150):  # LiteralOperand (597) in a Variant in a LiteralOperand …
        body = b"\x16\x01\x00\x55\x02\x01" + struct.pack("<i", len(body)) + body
    assert refused(body) == CODES.BadEncodingLimitsExceeded


def test_dimensions_are_bounded_by_what_they_make() -> None:
    def array(dimensions: list[int]) -> bytes:
        return (
            b"\xc6"
            + struct.pack("<ii", 1, 7)
            + struct.pack(f"<i{len(dimensions)}i", len(dimensions), *dimensions)
        )

    assert refused(array([1000, 1000])) == CODES.BadEncodingLimitsExceeded
    assert refused(array([-1, 1])) == CODES.BadDecodingError
    assert refused(array([1] * 200)) == CODES.BadEncodingLimitsExceeded
    assert decode.check_value(ua.Variant, array([1, 1])) == len(array([1, 1]))


def test_long_texts_are_refused_and_bodies_that_are_not_binary_too() -> None:
    text = b"x" * (limits.STRING + 1)
    assert refused(b"\x0c" + struct.pack("<i", len(text)) + text) == CODES.BadEncodingLimitsExceeded
    assert refused(b"\x16\x01\x00\x55\x02\x02\x00\x00\x00\x00") == CODES.BadDataEncodingUnsupported


@pytest.mark.parametrize(("most", "request_"), [
    (limits.NODES_PER_READ, ua.ReadRequest), (limits.NODES_PER_BROWSE, ua.BrowseRequest),
    (limits.NODES_PER_WRITE, ua.WriteRequest), (limits.NODES_PER_CALL, ua.CallRequest),
])  # fmt: skip
def test_operations_are_counted_before_they_are_decoded(most: int, request_: Any) -> None:
    request = request_()
    name, element = {
        ua.ReadRequest: ("NodesToRead", ua.ReadValueId()),
        ua.BrowseRequest: ("NodesToBrowse", ua.BrowseDescription()),
        ua.WriteRequest: ("NodesToWrite", ua.WriteValue()),
        ua.CallRequest: ("MethodsToCall", ua.CallMethodRequest()),
    }[request_]
    setattr(request.Parameters, name, [element] * most)
    decode.check(struct_to_binary(request))
    setattr(request.Parameters, name, [element] * (most + 1))
    with pytest.raises(decode.DecodeError) as error:
        decode.check(struct_to_binary(request))
    assert error.value.status == CODES.BadTooManyOperations


@quick
@given(st.binary(max_size=200))
def test_noise_is_no_header(noise: bytes) -> None:
    try:
        its, after = header.read(noise, 0)
    except decode.DecodeError:
        return
    assert 0 < after <= len(noise)
    assert len(its.token) <= len(noise)


def test_every_request_can_be_prepared_for() -> None:
    assert sum(1 for _ in decode.prepare()) >= 2 * 30
