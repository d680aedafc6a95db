"""Methods of equipment and of the server."""

from __future__ import annotations

from tests.opcua.conformance.case import At, good, is_, negative, positive
from tests.opcua.conformance.services import browse, call, children, read, tag, value

LOOP, PUMP = tag("tank1/LIC-101"), tag("tank1/P-101")
METHOD = 4  # NodeClass


@positive("Address Space Method", "Method Call", "Base Info Custom Type System")
async def equipment_has_a_type_and_methods_that_do_something(at: At) -> None:
    session = await at.session("operator")
    methods = await children(session, LOOP, classes=METHOD, kind="i=47")
    assert methods
    typed = await browse(session, LOOP, kind="i=40")
    assert len(typed["references"]) == 1
    (found,) = await read(session, typed["references"][0]["nodeId"], attribute=3)
    good(found["status"])
    before = await value(session, tag("tank1/LIC-101/SP"))
    name = next(
        name for name in methods if name.lower().replace(" ", "") in ("setpoint", "setsp", "setsetpoint")
    )
    arguments = await value(session, (await children(session, methods[name], kind="i=46"))["InputArguments"])
    assert len(arguments) >= 1
    result = await call(session, LOOP, methods[name], ("Double", 2.2))
    good(result["statusCode"])
    assert await value(session, tag("tank1/LIC-101/SP")) == 2.2
    good((await call(session, LOOP, methods[name], ("Double", before)))["statusCode"])


@negative("Address Space Method", "Method Call")
async def methods_that_are_refused(at: At) -> None:
    session = await at.session("operator")
    methods = await children(session, LOOP, classes=METHOD, kind="i=47")
    name = next(
        name for name in methods if name.lower().replace(" ", "") in ("setpoint", "setsp", "setsetpoint")
    )
    is_((await call(session, LOOP, methods[name]))["statusCode"], "BadArgumentsMissing")
    is_((await call(session, LOOP, methods[name], ("String", "x")))["statusCode"], "BadInvalidArgument")
    is_((await call(session, LOOP, methods[name], ("Double", 1.0), ("Double", 1.0)))["statusCode"], "BadTooManyArguments")  # fmt: skip
    result = await call(session, LOOP, methods[name], ("Double", 99.0))
    assert result["statusCode"] >> 31 == 1
    is_((await call(session, PUMP, methods[name], ("Double", 2.0)))["statusCode"], "BadMethodInvalid")
    viewer = await at.session("viewer")
    is_((await call(viewer, LOOP, methods[name], ("Double", 2.0)))["statusCode"], "BadUserAccessDenied")


@positive("Base Info Diagnostics")
async def the_server_counts(at: At) -> None:
    session = await at.session("engineer")
    assert await value(session, "i=2294") in (True, False)
    summary = await value(session, "i=2275")
    assert summary["currentSessionCount"] >= 1
    assert summary["cumulatedSessionCount"] >= summary["currentSessionCount"]


@negative("Base Info Diagnostics")
async def diagnostics_of_others_are_not_for_everybody(at: At) -> None:
    session = await at.session()
    (found,) = await read(session, "i=3707")  # SessionDiagnosticsArray
    if found["status"] >> 31 == 0:
        assert not (found["value"] or {}).get("value")
    else:
        is_(found["status"], "BadUserAccessDenied", "BadNodeIdUnknown", "BadNotReadable")
