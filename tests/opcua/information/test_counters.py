from __future__ import annotations

import gc
from typing import Any, cast

from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from scada.clock import SimulatedClock
from scada.opcua.information.counters import NUMBERS, SERVICES, TEXT_MAX, USERS_MAX, Counters

READ = ua.ObjectIds.ReadRequest_Encoding_DefaultBinary
DENIED = ua.StatusCodes.BadUserAccessDenied


class Session:
    """Something that can be weakly referenced."""


def session() -> Any:
    return cast("Any", Session())


def test_each_service_of_the_structure_is_counted_and_no_other() -> None:
    members = {
        name.removesuffix("Count")
        for name in ua.SessionDiagnosticsDataType.__dataclass_fields__
        if name.endswith("Count")
    }
    assert set(SERVICES) == members - {
        "CurrentSubscriptions",
        "CurrentMonitoredItems",
        "TotalRequest",
        "UnauthorizedRequest",
    }
    assert len(NUMBERS) == len(SERVICES)


def test_requests_of_a_session() -> None:
    clock = SimulatedClock()
    counters, one = Counters(clock), session()
    counters.opened(one, None)
    opened = counters.sessions[one].opened_ns
    clock.advance(1_000_000_000)
    counters.request(one, READ)
    counters.request(one, READ, DENIED)
    counters.request(one, 99_999, ua.StatusCodes.BadServiceUnsupported)
    record = counters.sessions[one]
    assert (record.total, record.unauthorized) == ([3, 2], 1)
    assert record.services == {SERVICES.index("Read"): [2, 1]}
    assert record.contact_ns - opened == 1_000_000_000
    assert (counters.requests_rejected, counters.requests_security_rejected) == (2, 1)


def test_what_a_client_says_of_itself_is_bounded() -> None:
    counters, one, long = Counters(), session(), "x" * 1_000_000
    client = ua.ApplicationDescription(
        ApplicationUri=long,
        ProductUri=long,
        ApplicationName=ua.LocalizedText(long, long),
        ApplicationType=ua.ApplicationType.Client,
        GatewayServerUri=long,
        DiscoveryProfileUri=long,
        DiscoveryUrls=[long] * 1000,
    )
    counters.opened(
        one,
        ua.CreateSessionParameters(
            ClientDescription=client, SessionName=long, ServerUri=long, EndpointUrl=long
        ),
    )
    record = counters.sessions[one]
    assert record.name == long[:TEXT_MAX]
    assert record.description.ApplicationType == ua.ApplicationType.Client
    assert len(struct_to_binary(record.description)) < 10_000
    assert len(record.server_uri) == len(record.endpoint) == TEXT_MAX


def test_a_session_that_is_gone_is_forgotten() -> None:
    counters, one = Counters(), session()
    counters.opened(one, None)
    assert len(counters.sessions) == 1
    del one
    gc.collect()
    assert (len(counters.sessions), counters.sessions_opened) == (0, 1)


def test_users_of_a_session_are_kept_in_order_and_bounded() -> None:
    counters, one = Counters(), session()
    counters.opened(one, None)
    for name in (None, "anna", "anna", *map(str, range(20))):
        counters.activated(one, name)
    assert list(counters.sessions[one].users) == [str(n) for n in range(20 - USERS_MAX, 20)]
    counters.activated(session(), "a stranger")


def test_refused_sessions() -> None:
    counters = Counters()
    counters.not_opened(ua.StatusCodes.BadTooManySessions)
    counters.not_opened(ua.StatusCodes.BadIdentityTokenRejected)
    assert (counters.sessions_rejected, counters.sessions_security_rejected) == (2, 1)


def test_a_request_without_a_session_counts_as_refused_only() -> None:
    counters = Counters()
    counters.request(None, READ, ua.StatusCodes.BadSessionIdInvalid)
    assert counters.requests_security_rejected == 1
