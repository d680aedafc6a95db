"""The node set of a site: valid by its schema, and other people's programs find in it what the server shows."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from asyncua import Server, ua
from typer.testing import CliRunner

from scada.cli.app import app
from scada.opcua.nodes import nodeset, values_xml
from scada.opcua.nodes.tags import TagNodes
from tags.model import Site
from tests.support import peers
from tests.support.site import make_site

WHEN = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
SCHEMA = peers.FOLDER / "node_modules/node-opcua-nodesets/nodesets/UANodeSet.xsd"
NS = {"s": "http://opcfoundation.org/UA/2011/03/UANodeSet.xsd"}
DEMO = Path(__file__).parents[3] / "config" / "demo"


def odd_site() -> Site:
    """A site whose texts need care in XML."""
    site = make_site()
    tags = [
        dataclasses.replace(tag, description='Level < 5 & > "0" \x0b\n', states={"0": "<off>", "2": "&on"})
        if tag.path == "tank1/LIC-101/MODE"
        else dataclasses.replace(tag, states={"0": "Local", "1": "Remote"})
        if tag.path == "tank1/LV-101/REM"
        else dataclasses.replace(tag, type="uint16", states={"0": "Off", "1": "On"})
        if tag.path == "tank1/P-101/RUN"
        else tag
        for tag in site.tags
    ]
    return dataclasses.replace(site, tags=tuple(tags))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("nodeset") / "site.xml"
    found.write_text("".join(nodeset.write(odd_site(), "1", WHEN)), encoding="utf-8")
    return found


def test_it_is_valid_by_the_schema(file: Path) -> None:
    peers.install()
    done = subprocess.run(
        ["xmllint", "--noout", "--nonet", "--schema", SCHEMA, file],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[:2000]


def test_it_holds_each_node_once_and_every_reference_leads_somewhere(file: Path) -> None:
    nodes = [one for one in ET.parse(file).getroot() if one.get("NodeId")]
    ids = [str(one.get("NodeId")) for one in nodes]
    assert len(ids) == len(set(ids))
    for source in nodeset.nodes_of(odd_site()).sources:
        assert {values_xml.node_id(one) for one in source.ids()} <= set(ids)
    targets = {str(one.text) for node in nodes for one in node.iterfind("s:References/s:Reference", NS)}
    assert {one for one in targets if one.startswith("ns=")} <= set(ids)


def test_values_are_those_of_properties_alone(file: Path) -> None:
    for node in ET.parse(file).getroot().iterfind("s:UAVariable", NS):
        is_tag = "#" not in str(node.get("NodeId"))
        assert not (is_tag and node.find("s:Value", NS) is not None)


def test_a_value_that_has_no_form_in_xml_is_no_silent_gap() -> None:
    with pytest.raises(TypeError):
        values_xml.variant(ua.Variant(b"bytes", ua.VariantType.ByteString))
    with pytest.raises(ValueError, match="not of the site"):
        values_xml.node_id(ua.NodeId(7, 3))
    assert (
        values_xml.variant(ua.Variant(float("-inf"), ua.VariantType.Double))
        == "<uax:Double>-INF</uax:Double>"
    )


def test_the_command_writes_the_file(tmp_path: Path) -> None:
    output = tmp_path / "demo.xml"
    done = CliRunner().invoke(app, ["opcua", "export", str(DEMO), "-o", str(output)])
    assert done.exit_code == 0, done.output
    root = ET.parse(output).getroot()
    assert root.find("s:UAObjectType[@BrowseName='1:ControlValveType']", NS) is not None
    assert CliRunner().invoke(app, ["opcua", "export", str(tmp_path)]).exit_code == 1


@pytest.mark.slow
async def test_asyncua_imports_it(file: Path) -> None:
    server = Server()
    await server.init()
    await server.import_xml(file)
    index = await server.get_namespace_index("urn:closedloop:small")
    site = odd_site()
    for tag in site.tags:
        node = server.get_node(ua.NodeId(tag.path, index))
        assert (await node.read_browse_name()).Name == tag.path.rpartition("/")[2]
    level = await server.nodes.objects.get_child([f"{index}:small", f"{index}:tank1", f"{index}:LT-101"])
    assert await (await level.get_child("0:EURange")).read_value() == ua.Range(0.0, 5.0)
    mode = server.get_node(ua.NodeId("tank1/LIC-101/MODE#EnumValues", index))
    texts = {one.Value: one.DisplayName.Text for one in await mode.read_value()}
    assert texts == {0: "<off>", 2: "&on"}
    state = server.get_node(ua.NodeId("tank1/LV-101/REM#TrueState", index))
    assert (await state.read_value()).Text == "Remote"
    strings = server.get_node(ua.NodeId("tank1/P-101/RUN#EnumStrings", index))
    assert [one.Text for one in await strings.read_value()] == ["Off", "On"]


@pytest.mark.slow
def test_node_opcua_loads_it(file: Path) -> None:
    peers.install()
    wanted = ["tank1/LT-101", "tank1/LT-101#EURange", "tank1", "tank1/LIC-101/MODE"]
    done = subprocess.run(
        [peers.BIN / "node", peers.FOLDER / "load_nodeset.mjs", file, *wanted],
        capture_output=True, text=True, check=False, cwd=peers.FOLDER,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["tank1/LT-101"]["type"] == "AnalogItemType"
    assert {"HH", "EURange", "EngineeringUnits"} <= set(found["tank1/LT-101"]["children"])
    assert found["tank1/LT-101#EURange"]["value"] == {"low": 0, "high": 5}
    assert found["tank1"]["class"] == "Object"
    assert found["tank1/LIC-101/MODE"]["type"] == "MultiStateValueDiscreteType"
    assert {"LT-101", "LV-101"} <= set(found["tank1"]["children"])


def test_the_server_shows_the_same_nodes() -> None:
    site = make_site()
    shown = TagNodes(site.name, sorted(site.tags, key=lambda tag: tag.writer), lambda _row: ua.DataValue())
    assert set(shown.ids()) <= {one for source in nodeset.nodes_of(site).sources for one in source.ids()}
