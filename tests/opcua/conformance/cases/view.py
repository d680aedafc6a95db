"""View, discovery and session services."""

from __future__ import annotations

import asyncio
import contextlib

from tests.opcua.conformance.case import At, good, is_, negative, positive, refused
from tests.opcua.conformance.peers import How, RefusedError
from tests.opcua.conformance.services import browse, children, path_of, read, tag, value

UNKNOWN = tag("tank1/NOBODY")


@positive("View Basic")
async def browse_follows_the_paths(at: At) -> None:
    session = await at.session()
    top = await children(session, "i=85")
    assert tag("riverside") in top.values() or "riverside" in top
    assert "LT-101" in await children(session, tag("tank1"))
    back = await browse(session, tag("tank1"), inverse=True)
    assert back["references"]


@positive("View Basic")
async def browse_selects_by_class_reference_and_fields(at: At) -> None:
    session = await at.session()
    result = await browse(session, "i=2253", classes=2, mask=0)
    assert result["references"]
    assert all(one["nodeClass"] == 0 and not one["browseName"]["name"] for one in result["references"])
    assert not (await browse(session, "i=85", kind="i=35", classes=4))["references"]
    only = await browse(session, "i=2253", kind="i=46", subtypes=False)
    assert {one["referenceTypeId"] for one in only["references"]} == {"i=46"}


@negative("View Basic")
async def browse_of_what_is_not_there(at: At) -> None:
    session = await at.session()
    is_((await browse(session, UNKNOWN))["statusCode"], "BadNodeIdUnknown")
    is_((await browse(session, "i=85", kind="i=85"))["statusCode"], "BadReferenceTypeIdInvalid")
    with refused("BadNothingToDo"):
        await session.call("Browse", {"nodesToBrowse": [], "requestedMaxReferencesPerNode": 0})


@positive("View Minimum Continuation Point 01")
async def browse_in_pages_gives_everything_once(at: At) -> None:
    session = await at.session()
    whole = [one["nodeId"] for one in (await browse(session, "i=2253"))["references"]]
    page = await browse(session, "i=2253", most=3)
    found = [one["nodeId"] for one in page["references"]]
    assert len(found) == 3
    while page["continuationPoint"]:
        point = {"$bytes": page["continuationPoint"].removeprefix("base64:")}
        answer = await session.call(
            "BrowseNext", {"releaseContinuationPoints": False, "continuationPoints": [point]}
        )
        (page,) = answer["results"]
        good(page["statusCode"])
        found += [one["nodeId"] for one in page["references"]]
    assert found == whole


@negative("View Minimum Continuation Point 01", "View Minimum Continuation Point 05")
async def a_continuation_point_that_is_none_or_was_released(at: At) -> None:
    session = await at.session()
    (result,) = (
        await session.call(
            "BrowseNext", {"releaseContinuationPoints": False, "continuationPoints": [{"$bytes": "AAAA"}]}
        )
    )["results"]
    is_(result["statusCode"], "BadContinuationPointInvalid")
    page = await browse(session, "i=2253", most=1)
    point = {"$bytes": page["continuationPoint"].removeprefix("base64:")}
    for release, status in ((True, "Good"), (False, "BadContinuationPointInvalid")):
        answer = await session.call(
            "BrowseNext", {"releaseContinuationPoints": release, "continuationPoints": [point]}
        )
        is_(answer["results"][0]["statusCode"], status)


@positive("View Minimum Continuation Point 05")
async def five_continuation_points_at_once(at: At) -> None:
    session = await at.session()
    what = {
        "nodeId": "i=2253", "browseDirection": 0, "referenceTypeId": "i=33", "includeSubtypes": True,
        "nodeClassMask": 0, "resultMask": 63,
    }  # fmt: skip
    answer = await session.call("Browse", {"nodesToBrowse": [what] * 5, "requestedMaxReferencesPerNode": 2})
    points = [{"$bytes": one["continuationPoint"].removeprefix("base64:")} for one in answer["results"]]
    assert len({point["$bytes"] for point in points}) == 5
    answer = await session.call(
        "BrowseNext", {"releaseContinuationPoints": False, "continuationPoints": points}
    )
    assert [len(one["references"]) for one in answer["results"]] == [2] * 5
    points = [{"$bytes": one["continuationPoint"].removeprefix("base64:")} for one in answer["results"]]
    await session.call("BrowseNext", {"releaseContinuationPoints": True, "continuationPoints": points})


@positive("View TranslateBrowsePath")
async def a_path_of_names_leads_to_a_node(at: At) -> None:
    session = await at.session()
    found = await path_of(session, "i=84", "Objects", "Server", "ServerStatus", "State")
    good(found["statusCode"])
    assert [one["targetId"] for one in found["targets"]] == ["i=2259"]
    found = await path_of(session, tag("tank1"), "LT-101", space=2)
    assert [one["targetId"] for one in found["targets"]] == [tag("tank1/LT-101")]


@negative("View TranslateBrowsePath")
async def a_path_that_leads_nowhere(at: At) -> None:
    session = await at.session()
    is_((await path_of(session, "i=84", "Objects", "Nothing"))["statusCode"], "BadNoMatch")
    is_((await path_of(session, UNKNOWN, "x"))["statusCode"], "BadNodeIdUnknown")
    is_((await path_of(session, "i=84"))["statusCode"], "BadNothingToDo")
    with refused("BadNothingToDo"):
        await session.call("TranslateBrowsePathsToNodeIds", {"browsePaths": []})


@positive("View RegisterNodes")
async def a_registered_node_is_read_by_its_handle(at: At) -> None:
    session = await at.session()
    answer = await session.call("RegisterNodes", {"nodesToRegister": [tag("tank1/LT-101"), "i=2259"]})
    handles = answer["registeredNodeIds"]
    assert len(handles) == 2
    level, state = await read(session, *handles)
    good(level["status"])
    assert state["value"]["value"] == 0
    await session.call("UnregisterNodes", {"nodesToUnregister": handles})


@negative("View RegisterNodes")
async def nothing_or_nobody_to_register(at: At) -> None:
    session = await at.session()
    for service, name in (("RegisterNodes", "nodesToRegister"), ("UnregisterNodes", "nodesToUnregister")):
        with refused("BadNothingToDo"):
            await session.call(service, {name: []})
    with contextlib.suppress(AssertionError), refused("BadNodeIdInvalid", "BadNodeIdUnknown"):
        # An unknown node may be registered as it is (OPC 10000-4 §5.8.5): then a Read of it must fail.
        answer = await session.call("RegisterNodes", {"nodesToRegister": [UNKNOWN]})
        (found,) = await read(session, *answer["registeredNodeIds"])
        is_(found["status"], "BadNodeIdUnknown")


@positive("Discovery Get Endpoints", "Security Policy Required")
async def endpoints_say_what_is_offered(at: At) -> None:
    session = await at.session()
    answer = await session.call("GetEndpoints", {"endpointUrl": at.url, "localeIds": [], "profileUris": []})
    found = {
        (one["securityPolicyUri"].partition("#")[2], one["securityMode"]): one for one in answer["endpoints"]
    }
    for policy in ("Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"):
        for mode, tokens in ((2, {2}), (3, {1, 2})):  # a password travels encrypted only
            assert found[policy, mode]["serverCertificate"]
            kinds = {token["tokenType"] for token in found[policy, mode]["userIdentityTokens"]}
            assert tokens <= kinds


@negative("Discovery Get Endpoints", "Security Policy Required")
async def no_endpoint_of_a_transport_that_is_not_spoken(at: At) -> None:
    session = await at.session()
    other = "http://opcfoundation.org/UA-Profile/Transport/https-uabinary"
    answer = await session.call(
        "GetEndpoints", {"endpointUrl": at.url, "localeIds": [], "profileUris": [other]}
    )
    assert not answer["endpoints"]
    try:
        async with at.peer.session(at.url, How(policy="Basic256", mode="SignAndEncrypt")):
            pass
    except RefusedError:  # by the server, or the client finds no such endpoint
        return
    raise AssertionError("a policy that is broken was taken")


@positive("Discovery Find Servers Self")
async def the_server_finds_itself(at: At) -> None:
    session = await at.session()
    answer = await session.call("FindServers", {"endpointUrl": at.url, "localeIds": [], "serverUris": []})
    (server,) = answer["servers"]
    assert server["applicationType"] == 0
    assert server["discoveryUrls"]
    answer = await session.call(
        "FindServers", {"endpointUrl": at.url, "localeIds": [], "serverUris": [server["applicationUri"]]}
    )
    assert len(answer["servers"]) == 1


@negative("Discovery Find Servers Self")
async def no_server_of_another_name(at: At) -> None:
    session = await at.session()
    answer = await session.call(
        "FindServers", {"endpointUrl": at.url, "localeIds": [], "serverUris": ["urn:nobody"]}
    )
    assert not answer["servers"]


@positive("Session Base", "Session Minimum 1", "Session Minimum 2 Parallel", "Security None")
async def two_sessions_at_once(at: At) -> None:
    async with at.fresh() as one, at.fresh() as other:
        assert list(await asyncio.gather(value(one, "i=2259"), value(other, "i=2259"))) == [0, 0]


@negative("Session Base", "Session Minimum 1", "Session Minimum 2 Parallel", "Security None")
async def without_a_session_nothing_is_read(at: At) -> None:
    async with at.fresh(bare=True) as channel:
        for service, fields in (
            ("Read", {"maxAge": 0, "timestampsToReturn": 2, "nodesToRead": [{"nodeId": "i=2259", "attributeId": 13}]}),
            ("Browse", {"nodesToBrowse": [{"nodeId": "i=85", "browseDirection": 0, "referenceTypeId": "i=33", "includeSubtypes": True, "nodeClassMask": 0, "resultMask": 63}], "requestedMaxReferencesPerNode": 0}),
            ("CloseSession", {"deleteSubscriptions": True}),
        ):  # fmt: skip
            with refused("BadSessionIdInvalid", "BadSessionNotActivated"):
                await channel.call(service, fields)
        answer = await channel.call(
            "GetEndpoints", {"endpointUrl": at.url, "localeIds": [], "profileUris": []}
        )
        assert answer["endpoints"]


@positive("Session Minimum 50 Parallel")
async def fifty_sessions_at_once(at: At) -> None:
    async with contextlib.AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(at.fresh()) for _ in range(50)]
        assert await asyncio.gather(*(value(one, "i=2259") for one in sessions)) == [0] * 50


@negative("Session Minimum 50 Parallel", "Session General Service Behaviour")
async def a_session_is_of_no_use_to_another(at: At) -> None:
    """A token that nobody was given: with the shared session's channel and a session's services."""
    async with at.fresh() as one:
        with refused(
            "BadSessionIdInvalid", "BadIdentityTokenInvalid", "BadUserAccessDenied", "BadSessionNotActivated",
            "BadIdentityTokenRejected", "BadApplicationSignatureInvalid", "BadUserSignatureInvalid",
        ):  # fmt: skip
            await one.call(
                "ActivateSession",
                {"userIdentityToken": {"$type": "UserNameIdentityToken", "policyId": "nothing", "userName": "x", "password": {"$bytes": "AA=="}}},
            )  # fmt: skip


@positive("Session General Service Behaviour")
async def answers_carry_handle_time_and_no_diagnostics(at: At) -> None:
    session = await at.session()
    answer = await session.call(
        "Read",
        {"maxAge": 0, "timestampsToReturn": 2, "nodesToRead": [{"nodeId": "i=2258", "attributeId": 13}]},
    )
    header = answer["responseHeader"]
    assert header["requestHandle"] > 0
    assert header["timestamp"]
    good(header["serviceResult"])
    assert not answer["diagnosticInfos"]


@positive("Session Cancel")
async def a_waiting_request_is_cancelled(at: At) -> None:
    async with at.fresh() as session:
        answer = await session.call("Cancel", {"requestHandle": 4_000_000_000})
        assert answer["cancelCount"] == 0


@negative("Session Cancel")
async def what_is_done_cannot_be_cancelled(at: At) -> None:
    session = await at.session()
    answer = await session.call("Read", {"maxAge": 0, "timestampsToReturn": 2, "nodesToRead": [{"nodeId": "i=2258", "attributeId": 13}]})  # fmt: skip
    handle = answer["responseHeader"]["requestHandle"]
    assert (await session.call("Cancel", {"requestHandle": handle}))["cancelCount"] == 0


@negative("Session General Service Behaviour", "Security Role Server Authorization")
async def a_session_stays_with_who_signed_in(at: At) -> None:
    async with at.fresh("viewer") as session:
        with refused("BadIdentityChangeNotSupported", "BadIdentityTokenRejected", "BadUserAccessDenied"):
            await session.change(at.how("operator"))
        assert await value(session, "i=2259") == 0
