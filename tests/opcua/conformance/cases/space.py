"""Address space, attributes and base information."""

from __future__ import annotations

from tests.opcua.conformance.case import At, good, is_, negative, positive, refused, value_of
from tests.opcua.conformance.services import NEITHER, browse, children, read, tag, value, write

LEVEL, SET_POINT, OUT = tag("tank1/LT-101"), tag("tank1/LIC-101/SP"), tag("tank1/LV-101/OUT")
UNKNOWN = tag("tank1/NOBODY")


@positive("Attribute Read", "Address Space Atomicity", "Address Space Full Array Only")
async def a_value_has_quality_and_both_stamps(at: At) -> None:
    session = await at.session()
    (found,) = await read(session, LEVEL)
    assert 0.0 <= value_of(found) <= 5.0
    assert found["value"]["type"] == "Double"
    assert found["source"]
    assert found["server"]
    (bare,) = await read(session, LEVEL, stamps=NEITHER)
    assert (bare["source"], bare["server"]) == (None, None)


@positive("Attribute Read", "Address Space Base")
async def every_mandatory_attribute_of_a_variable(at: At) -> None:
    session = await at.session()
    for attribute in (1, 2, 3, 4, 13, 14, 15, 17, 18, 20):
        (found,) = await read(session, LEVEL, attribute=attribute)
        good(found["status"])
        assert found["value"] is not None, attribute
    assert await value(session, LEVEL, 2) == 2  # Variable
    assert await value(session, LEVEL, 3) == {"ns": 2, "name": "LT-101"}
    assert await value(session, LEVEL, 14) == "i=11"  # Double
    assert await value(session, LEVEL, 15) == -1  # scalar
    assert (
        await value(session, tag("tank1"), 12) & ~5 == 0
    )  # EventNotifier of an object: events, and their history


@negative("Attribute Read", "Address Space Base")
async def what_cannot_be_read(at: At) -> None:
    session = await at.session()
    (unknown,) = await read(session, UNKNOWN)
    is_(unknown["status"], "BadNodeIdUnknown")
    others = (
        ((LEVEL, 9999), (LEVEL, 0)) if at.peer.name == "asyncua" else ()
    )  # the other one does not send them
    for node, attribute in ((LEVEL, 12), (tag("tank1"), 13), *others):
        (found,) = await read(session, node, attribute=attribute)
        is_(found["status"], "BadAttributeIdInvalid")
    with refused("BadNothingToDo"):
        await read(session)
    if at.peer.name == "asyncua":
        with refused("BadTimestampsToReturnInvalid"):
            await read(session, LEVEL, stamps=4)
    with refused("BadMaxAgeInvalid"):
        await read(session, LEVEL, age=-1.0)


@negative("Attribute Read", "Address Space Full Array Only", "Address Space Atomicity")
async def a_scalar_has_no_index_and_a_variable_no_other_encoding(at: At) -> None:
    session = await at.session()
    (found,) = await read(session, LEVEL, indexRange="0:1")
    is_(found["status"], "BadIndexRangeNoData", "BadIndexRangeInvalid")
    (found,) = await read(session, LEVEL, indexRange="x")
    is_(found["status"], "BadIndexRangeInvalid")
    (found,) = await read(session, LEVEL, dataEncoding={"namespaceIndex": 0, "name": "Default XML"})
    is_(found["status"], "BadDataEncodingInvalid", "BadDataEncodingUnsupported")
    (found,) = await read(
        session, LEVEL, attribute=3, dataEncoding={"namespaceIndex": 0, "name": "Default Binary"}
    )
    is_(found["status"], "BadDataEncodingInvalid")


@positive("Attribute Write Values")
async def an_operator_writes_a_set_point(at: At) -> None:
    session = await at.session("operator")
    before = await value(session, SET_POINT)
    try:
        good(await write(session, SET_POINT, "Double", 2.4))
        assert await value(session, SET_POINT) == 2.4
    finally:
        await write(session, SET_POINT, "Double", before)


@negative("Attribute Write Values")
async def what_cannot_be_written(at: At) -> None:
    session = await at.session("operator")
    is_(await write(session, LEVEL, "Double", 1.0), "BadNotWritable")
    is_(await write(session, UNKNOWN, "Double", 1.0), "BadNodeIdUnknown")
    is_(await write(session, SET_POINT, "String", "high"), "BadTypeMismatch")
    is_(await write(session, SET_POINT, "Double", [1.0, 2.0]), "BadTypeMismatch")
    is_(await write(session, SET_POINT, "Double", 99.0), "BadOutOfRange")
    is_(await write(session, SET_POINT, "Double", 2.0, index="0:1"), "BadIndexRangeInvalid", "BadIndexRangeNoData", "BadWriteNotSupported")  # fmt: skip
    is_(
        await write(session, SET_POINT, "LocalizedText", {"text": "x", "locale": ""}, attribute=4),
        "BadNotWritable",
    )
    with refused("BadNothingToDo"):
        await session.call("Write", {"nodesToWrite": []})


@negative("Attribute Write Values", "Security Role Server Authorization")
async def a_viewer_writes_nothing(at: At) -> None:
    session = await at.session("viewer")
    is_(await write(session, SET_POINT, "Double", 2.0), "BadUserAccessDenied")


@negative("Attribute Write Values")
async def quality_is_the_plants(at: At) -> None:
    session = await at.session("operator")
    before = await value(session, SET_POINT)
    is_(await write(session, SET_POINT, "Double", before, statusCode=0x40000000), "BadWriteNotSupported")


@positive("Base Info Core Structure")
async def the_server_object_is_where_it_belongs(at: At) -> None:
    session = await at.session()
    below = await children(session, "i=2253")
    for name in ("ServerArray", "NamespaceArray", "ServerStatus", "ServiceLevel", "ServerCapabilities", "ServerDiagnostics"):  # fmt: skip
        assert name in below
    assert await value(session, "i=2259") == 0  # Running
    assert (await value(session, "i=2255"))[0] == "http://opcfoundation.org/UA/"
    assert await value(session, "i=2267") > 0


@negative("Base Info Core Structure")
async def the_server_object_is_not_written(at: At) -> None:
    session = await at.session("engineer")
    for node, kind, wanted in (
        ("i=2267", "Byte", 1),
        ("i=2254", "String", ["urn:x"]),
        ("i=2259", "Int32", 1),
    ):
        is_(await write(session, node, kind, wanted), "BadNotWritable", "BadUserAccessDenied")
    assert await value(session, "i=2259") == 0


@positive("Base Info Server Capabilities")
async def capabilities_and_limits_have_values(at: At) -> None:
    session = await at.session()
    limits = await children(session, "i=11704")
    for name in (
        "MaxNodesPerRead", "MaxNodesPerWrite", "MaxNodesPerMethodCall", "MaxNodesPerBrowse",
        "MaxNodesPerRegisterNodes", "MaxNodesPerTranslateBrowsePathsToNodeIds", "MaxMonitoredItemsPerCall",
        "MaxNodesPerHistoryReadData",
    ):  # fmt: skip
        assert await value(session, limits[name]) > 0, name
    below = await children(session, "i=2268")
    for name in (
        "MaxBrowseContinuationPoints",
        "MinSupportedSampleRate",
        "MaxArrayLength",
        "MaxStringLength",
    ):
        assert await value(session, below[name]) > 0, name
    assert await value(session, below["ServerProfileArray"])
    assert await value(session, below["LocaleIdArray"]) is not None


@negative("Base Info Server Capabilities")
async def limits_are_enforced(at: At) -> None:
    """Past the wire that is captured: tshark takes an array of more than 10,000 for an error."""
    async with at.peer.session(at.plant.opcua) as session:
        limits = await children(session, "i=11704")
        most = await value(session, limits["MaxNodesPerBrowse"])
        what = {"nodeId": "i=85", "browseDirection": 0, "referenceTypeId": "i=33", "includeSubtypes": True, "nodeClassMask": 0, "resultMask": 0}  # fmt: skip
        with refused("BadTooManyOperations"):
            await session.call(
                "Browse", {"nodesToBrowse": [what] * (most + 1), "requestedMaxReferencesPerNode": 1}
            )
        most = await value(session, limits["MaxNodesPerRead"])
        with refused("BadTooManyOperations"):
            await read(session, *["i=2259"] * (most + 1))


@positive("Base Info Type System", "Base Info Custom Type System", "Base Info Placeholder Modelling Rules")
async def types_are_in_the_address_space(at: At) -> None:
    session = await at.session()
    for node in ("i=58", "i=62", "i=31", "i=24", "i=2041", "i=2368"):
        good((await read(session, node, attribute=3))[0]["status"])
    types = await browse(session, "i=58", kind="i=45")
    assert len(types["references"]) > 10
    for node in ("i=78", "i=80", "i=11508", "i=11510"):  # modelling rules
        good((await read(session, node, attribute=3))[0]["status"])


@negative("Base Info Type System", "Base Info Custom Type System", "Base Info Placeholder Modelling Rules")
async def types_are_not_changed_by_clients(at: At) -> None:
    session = await at.session("engineer")
    with refused("BadServiceUnsupported", "BadUserAccessDenied", "BadNotSupported", "BadNodeIdRejected"):
        await session.call(
            "AddNodes",
            {
                "nodesToAdd": [
                    {
                        "parentNodeId": "i=58", "referenceTypeId": "i=45", "requestedNewNodeId": "ns=2;s=mine",
                        "browseName": {"namespaceIndex": 2, "name": "mine"}, "nodeClass": 8,
                        "nodeAttributes": {"$type": "ObjectTypeAttributes", "isAbstract": False},
                        "typeDefinition": "i=0",
                    }
                ]
            },
        )  # fmt: skip
    (found,) = await read(session, "ns=2;s=mine", attribute=3)
    is_(found["status"], "BadNodeIdUnknown")


@positive("Base Info Engineering Units", "Data Access AnalogItems", "Data Access DataItems")
async def an_analog_item_has_unit_and_range(at: At) -> None:
    session = await at.session()
    below = await children(session, LEVEL)
    unit = await value(session, below["EngineeringUnits"])
    assert unit["displayName"]["text"] == "m"
    assert unit["unitId"] == 5067858
    limits = await value(session, below["EURange"])
    assert (limits["low"], limits["high"]) == (0.0, 5.0)


@negative("Base Info Engineering Units", "Data Access AnalogItems", "Data Access DataItems")
async def unit_and_range_are_not_written(at: At) -> None:
    session = await at.session("engineer")
    below = await children(session, LEVEL)
    limits = {"$type": "Range", "low": 0.0, "high": 1.0}
    is_(
        await write(session, below["EURange"], "ExtensionObject", limits),
        "BadNotWritable",
        "BadUserAccessDenied",
    )
    running = await children(session, tag("tank1/P-101/RUN"))
    assert "EURange" not in running


@positive("Data Access TwoState")
async def a_two_state_item_names_its_states(at: At) -> None:
    session = await at.session()
    below = await children(session, tag("tank1/P-101/RUN"))
    assert (await value(session, below["TrueState"]))["text"] == "Running"
    assert (await value(session, below["FalseState"]))["text"] == "Stopped"


@negative("Data Access TwoState")
async def a_two_state_item_takes_no_number(at: At) -> None:
    session = await at.session("operator")
    is_(await write(session, tag("tank1/P-101/RUN"), "Int32", 1), "BadNotWritable", "BadTypeMismatch")


@positive("Data Access MultiState", "Data Access MultiStateValueDiscrete", "Base Info ValueAsText")
async def a_multi_state_item_names_its_values(at: At) -> None:
    session = await at.session()
    below = await children(session, tag("tank1/LIC-101/MODE"))
    assert "EnumValues" in below or "EnumStrings" in below
    if "EnumValues" in below:
        names = {one["value"] if isinstance(one["value"], int) else one["value"][1]: one["displayName"]["text"] for one in await value(session, below["EnumValues"])}  # fmt: skip
        now = await value(session, tag("tank1/LIC-101/MODE"))
        assert (await value(session, below["ValueAsText"]))["text"] == names[now]


@negative("Data Access MultiState", "Data Access MultiStateValueDiscrete", "Base Info ValueAsText")
async def a_multi_state_item_takes_only_its_values(at: At) -> None:
    session = await at.session("operator")
    is_(await write(session, tag("tank1/LIC-101/MODE"), "Int32", 77), "BadOutOfRange", "BadUserAccessDenied")
