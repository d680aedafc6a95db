"""Nodes of tags as asyncua finds them in the mapping."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AddressSpace, NodeData, ViewService
from asyncua.server.internal_session import InternalSession

from scada.opcua import limits
from scada.opcua.nodes.browse import Browsing
from scada.opcua.nodes.ids import NAMESPACE, node_id, part_id
from scada.opcua.nodes.lazy import LazyNodes, install
from scada.opcua.nodes.references import ManyReferences
from scada.opcua.nodes.tags import TagNodes
from scada.opcua.security.access import Access
from tags.model import OpcuaSecurity, Scaling, Tag
from tests.support.site import make_site

OBJECTS = ua.NodeId(ua.ObjectIds.ObjectsFolder)
A = ua.AttributeIds


def of_row(row: int) -> ua.DataValue:
    return ua.DataValue(ua.Variant(row, ua.VariantType.Int32))


def tag(path: str, type_: str = "float64", **more: object) -> Tag:
    return Tag(id=1, path=path, type=type_, kind="memory", writer="control", row=0, **more)  # type: ignore[arg-type]


def space(tags: list[Tag], kept: int = 100, **more: object) -> tuple[AddressSpace, LazyNodes]:
    aspace = AddressSpace()
    aspace[OBJECTS] = NodeData(OBJECTS)
    nodes = install(aspace, kept)
    nodes.attach(TagNodes("small", tags, of_row, **more))  # type: ignore[arg-type]
    return aspace, nodes


def attribute(aspace: AddressSpace, node: ua.NodeId, which: ua.AttributeIds) -> object:
    value = aspace.read_attribute_value(node, which)
    assert value.Value is not None, value
    return value.Value.Value


def names(data: NodeData, *, forward: bool = True) -> list[str]:
    return [str(one.BrowseName.Name) for one in data.references if one.IsForward == forward]


def test_every_node_is_reached_from_objects_and_each_reference_has_its_inverse() -> None:
    tags = list(make_site().tags)
    source = TagNodes("small", tags, of_row)
    aspace, nodes = space(tags)
    seen, todo = set(), [source.top]
    assert [one.NodeId for one in nodes[OBJECTS].references] == [source.top]
    while todo:
        here = todo.pop()
        seen.add(here)
        for one in aspace[here].references:
            if one.NodeId.NamespaceIndex == NAMESPACE:
                back = [
                    (other.ReferenceTypeId, other.NodeId, other.IsForward)
                    for other in aspace[one.NodeId].references
                ]
                assert (one.ReferenceTypeId, here, not one.IsForward) in back
                if one.IsForward:
                    todo.append(one.NodeId)
    assert seen == set(source.ids())
    assert {node_id(tag.path) for tag in tags} < seen


def test_the_value_of_a_tag_is_asked_for_by_its_row() -> None:
    aspace, _ = space([tag("a/x"), tag("a/y")])
    assert attribute(aspace, node_id("a/y"), A.Value) == 1
    assert attribute(aspace, node_id("a/y"), A.DataType) == ua.NodeId(ua.ObjectIds.Double)


def test_a_tag_below_a_tag_is_its_component_and_the_rest_lies_in_folders() -> None:
    aspace, _ = space([tag("a/x"), tag("a/x/HH", "int32")])
    kinds = {
        (str(one.BrowseName.Name), one.ReferenceTypeId.Identifier)
        for one in [*aspace[node_id("a")].references, *aspace[node_id("a/x")].references]
        if one.IsForward and one.NodeId.NamespaceIndex == NAMESPACE and "#" not in str(one.NodeId.Identifier)
    }
    assert kinds == {("x", ua.ObjectIds.Organizes), ("HH", ua.ObjectIds.HasComponent)}


def test_equipment_has_its_type_and_is_made_of_its_tags() -> None:
    type_id = ua.NodeId("type/valve", NAMESPACE)
    types = {"a/V1": (type_id, ua.QualifiedName("valve", NAMESPACE))}
    aspace, _ = space([tag("a/V1/OUT")], types=types, notifiers={"a"})
    found = aspace[node_id("a/V1")].references
    assert [one.NodeId for one in found if one.ReferenceTypeId.Identifier == 40] == [type_id]
    assert [one.ReferenceTypeId.Identifier for one in found if one.BrowseName.Name == "OUT"] == [47]
    assert attribute(aspace, node_id("a"), A.EventNotifier) == 5
    assert attribute(aspace, node_id("a/V1"), A.EventNotifier) == 0


@pytest.mark.parametrize(
    ("one", "type_", "properties"),
    [
        (
            tag("x", unit="m", range=(0.0, 5.0)),
            "AnalogItemType",
            {"EURange": ua.Range(0.0, 5.0), "ValuePrecision": 2.0, "EngineeringUnits": 5067858},
        ),
        (
            tag("x", "int16", range=(0, 5), scaling=Scaling(gain=0.5, bad_below=-10, bad_above=20)),
            "AnalogItemType",
            {"EURange": ua.Range(0.0, 5.0), "InstrumentRange": ua.Range(-5.0, 10.0)},
        ),
        (
            tag("x", range=(0.0, 5.0), scaling=Scaling(curve=((0, 7.0), (10, 3.0), (20, 1.0)))),
            "AnalogItemType",
            {"InstrumentRange": ua.Range(1.0, 7.0)},
        ),
        (tag("x", unit="s"), "AnalogUnitType", {"EngineeringUnits": int.from_bytes(b"SEC", "big")}),
        (tag("x", "int32"), "DataItemType", {}),
        (tag("x", "string"), "BaseDataVariableType", {}),
        (tag("x", "bool"), "DataItemType", {}),
        (
            tag("x", "bool", states={"0": "Stopped", "1": "Running"}),
            "TwoStateDiscreteType",
            {"FalseState": ua.LocalizedText("Stopped"), "TrueState": ua.LocalizedText("Running")},
        ),
        (
            tag("x", "uint16", states={"0": "Off", "1": "On", "2": "Fault"}),
            "MultiStateDiscreteType",
            {"EnumStrings": [ua.LocalizedText(text) for text in ("Off", "On", "Fault")]},
        ),
        (
            tag("x", "int32", states={"0": "Zero", "7": "Seven"}),
            "MultiStateValueDiscreteType",
            {"ValueAsText": ua.LocalizedText("Zero")},
        ),
        (
            tag("x", device="PLC1", address={"table": "input", "offset": 3, "bit": None}),
            "DataItemType",
            {"Definition": "PLC1: table=input, offset=3"},
        ),
    ],
)
def test_a_tag_is_of_its_data_access_type(one: Tag, type_: str, properties: dict[str, object]) -> None:
    aspace, _ = space([one])
    data = aspace[node_id("x")]
    assert type_ in names(data)
    for name, wanted in properties.items():
        assert name in names(data)
        found = attribute(aspace, part_id("x", name), A.Value)
        assert (found.UnitId if isinstance(found, ua.EUInformation) else found) == wanted
    made = {name for name in names(data) if aspace.get(part_id("x", name)) is not None}
    assert properties.keys() <= made == set(names(data)) - {type_}


def test_what_is_not_there_is_not_made() -> None:
    aspace, nodes = space([tag("a/x")])
    for missing in (
        node_id("a/y"),
        node_id(""),
        part_id("a/x", "EURange"),
        part_id("a", "EURange"),
        ua.NodeId("a/x", 3),
        ua.NodeId(7, NAMESPACE),
    ):
        assert missing not in aspace
        assert aspace.get(missing) is None
        with pytest.raises(KeyError):
            aspace[missing]
    assert "a/x" not in nodes


def test_a_site_with_the_name_of_an_area_has_another_top() -> None:
    _, nodes = space([tag("small/x")])
    assert nodes[OBJECTS].references[0].NodeId == part_id("small", "site")
    assert names(nodes[part_id("small", "site")]) == ["FolderType", "small"]


def test_a_great_folder_makes_its_references_one_by_one() -> None:
    tags = [tag(f"flat/T{number:06}") for number in range(5000)]
    aspace, _ = space(tags)
    found = aspace[node_id("flat")].references
    assert isinstance(found, ManyReferences)
    assert len(found) == 5002
    assert found[2].BrowseName.Name == "T000000"
    assert found[-1].NodeId == node_id("flat/T004999")
    assert [one.NodeId for one in found.named(ua.QualifiedName("T000123", NAMESPACE))] == [
        node_id("flat/T000123")
    ]
    assert found.named(ua.QualifiedName("T000123", 0)) == []
    assert found.named(ua.QualifiedName("T9", NAMESPACE)) == []
    wanted = ua.BrowseDescription(NodeId=node_id("flat"), BrowseDirection=ua.BrowseDirection.Forward)
    assert len(ViewService(aspace).browse(ua.BrowseParameters(NodesToBrowse=[wanted]))[0].References) == 5001


def test_nodes_that_were_not_looked_at_for_long_are_forgotten_unless_something_hangs_on_them() -> None:
    aspace, nodes = space([tag(f"T{number}") for number in range(50)], kept=10)
    first = aspace[node_id("T0")]
    _, handle = aspace.add_datachange_callback(node_id("T0"), A.Value, print)
    aspace.add_method_callback(node_id("T1"), print)
    for number in range(50):
        assert aspace[node_id(f"T{number}")] is not None
    assert aspace[node_id("T0")] is first
    assert nodes.built(node_id("T1")).call is print  # type: ignore[union-attr]
    assert nodes.built(node_id("T2")) is None
    assert nodes.built(node_id("T49")) is aspace[node_id("T49")]
    aspace.delete_datachange_callback(handle)
    assert list(nodes) == [OBJECTS]


def test_a_source_adds_references_to_nodes_of_others() -> None:
    class Other:
        mine = ua.NodeId("a#unit", NAMESPACE)

        def node(self, node_id: ua.NodeId) -> NodeData | None:
            return NodeData(self.mine) if node_id == self.mine else None

        def references(self, node_id: ua.NodeId) -> list[ua.ReferenceDescription]:
            if node_id in {OBJECTS, ua.NodeId("a", NAMESPACE)}:
                return [ua.ReferenceDescription(NodeId=self.mine)]
            return []

        def ids(self) -> list[ua.NodeId]:
            return [self.mine]

    aspace, nodes = space([tag("a/x")])
    assert node_id("a") in aspace
    nodes.attach(Other())
    assert Other.mine in aspace
    for where in (OBJECTS, node_id("a")):
        assert Other.mine in [one.NodeId for one in aspace[where].references]


def test_names_and_descriptions_are_the_tags_own() -> None:
    aspace, _ = space([dataclasses.replace(tag("a/x"), description="Level")])
    assert attribute(aspace, node_id("a/x"), A.DisplayName) == ua.LocalizedText("x")
    assert attribute(aspace, node_id("a/x"), A.Description) == ua.LocalizedText("Level")
    assert attribute(aspace, node_id("a/x"), A.BrowseName) == ua.QualifiedName("x", NAMESPACE)


def test_as_many_tags_as_may_be_browsed_at_once_fit_into_an_answer() -> None:
    """Clients that crawl send as many as we say; few know what to do when there are no continuation points left."""
    scaling = Scaling(gain=0.5, bad_below=-10, bad_above=20)
    its = [tag(f"flat/T{n:06}", unit="m", range=(0.0, 5.0), scaling=scaling, device="d", address={"unit": 1})
           for n in range(limits.NODES_PER_BROWSE)]  # fmt: skip
    aspace, _ = space(its)
    browsing = Browsing(aspace, Access(OpcuaSecurity(), []), lambda _session, node: node)
    session = InternalSession(SimpleNamespace(), aspace, None, "s", user=User(role=UserRole.Anonymous))
    wanted = [
        ua.BrowseDescription(NodeId=node_id(one.path), BrowseDirection=ua.BrowseDirection.Both, ResultMask=63)
        for one in its
    ]
    for found in browsing.begin(session, ua.BrowseParameters(NodesToBrowse=wanted)):
        assert found.StatusCode.is_good()
        assert found.ContinuationPoint is None
        assert len(found.References) == 7


def test_what_one_answer_looks_at_is_bounded() -> None:
    """A filter that suits nothing does not make the server look through a hundred thousand references at once."""
    aspace, _ = space([tag(f"flat/T{number:06}") for number in range(12_000)])
    nobody = OpcuaSecurity()
    browsing = Browsing(aspace, Access(nobody, []), lambda _session, node: node)
    session = InternalSession(SimpleNamespace(), aspace, None, "s", user=User(role=UserRole.Anonymous))
    for mask, total in ((ua.NodeClass.Method, 0), (ua.NodeClass.Variable, 12_000)):
        wanted = ua.BrowseDescription(NodeId=node_id("flat"), NodeClassMask=int(mask), ResultMask=63)
        params = ua.BrowseParameters(NodesToBrowse=[wanted, wanted])
        found, after = list(browsing.begin(session, params))
        assert len(found.References) + len(after.References) <= limits.REFERENCES_PER_ANSWER
        told, answers = len(found.References), 1
        while found.ContinuationPoint:
            (found,) = browsing.go_on(session, ua.BrowseNextParameters(False, [found.ContinuationPoint]))
            told += len(found.References)
            answers += 1
        assert told == total
        assert answers == (3 if not total else 12)
