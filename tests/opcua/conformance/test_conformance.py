"""Every case of the run with both clients, against a running demo, over a wire that tshark looks at in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlparse

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from scada.opcua.security.store import Store
from scada.users import Users
from tests.e2e.plant import DemoPlant
from tests.opcua.conformance import cases
from tests.opcua.conformance.capture import Capture, Wire, seen_by_tshark
from tests.opcua.conformance.case import CASES, At, Case
from tests.opcua.conformance.peers import Asyncua, NodeOpcua, Peer

assert cases
pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
PASSWORD = "only for this run"
OF_EACH_KIND = (
    "view.browse_in_pages_gives_everything_once", "space.every_mandatory_attribute_of_a_variable",
    "subscriptions.a_queue_keeps_every_change",
)  # fmt: skip
CLIENTS = (Asyncua.name, NodeOpcua.name)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoPlant]:
    with DemoPlant(tmp_path_factory.mktemp("conformance"), wait=False) as plant:
        plant.wait_ready(100)  # beside other tests on a small machine
        yield plant


@pytest.fixture(scope="module")
def passwords(plant: DemoPlant) -> dict[str, str]:
    users = Users(plant.data.users)
    for role in ("viewer", "engineer"):
        users.add(role, PASSWORD, role)
    return {"operator": plant.password, "viewer": PASSWORD, "engineer": PASSWORD}


@pytest.fixture(scope="module")
def pcap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("capture") / "run.pcap"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(plant: DemoPlant, pcap: Path) -> AsyncIterator[tuple[Capture, str]]:
    port = urlparse(plant.opcua).port
    assert port is not None
    capture = Capture(pcap, port)
    wire = Wire(port, capture)
    url = f"opc.tcp://127.0.0.1:{await wire.start()}"
    yield capture, url
    await wire.stop()
    capture.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def places(
    plant: DemoPlant,
    passwords: dict[str, str],
    wire: tuple[Capture, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[dict[str, At]]:
    folder = tmp_path_factory.mktemp("clients")
    for name in ("trusted", "strange"):
        (folder / name / "node").mkdir(parents=True)
    clients: list[tuple[Peer, Peer]] = [
        (Asyncua(folder / "trusted"), Asyncua(folder / "strange")),
        (
            await NodeOpcua.start(folder / "trusted" / "node"),
            await NodeOpcua.start(folder / "strange" / "node"),
        ),
    ]
    for trusted, _ in clients:
        await trusted.prepare(wire[1])
    for path in (folder / "trusted").rglob("*.*"):
        if path.suffix in (".der", ".pem") and b"PRIVATE" not in path.read_bytes():
            Store(plant.data.certs).put("trusted", der_of(path))
    places = {client.name: At(client, stranger, wire[1], plant, passwords) for client, stranger in clients}
    yield places
    for at in places.values():
        await at.close()
        await at.peer.close()
        await at.stranger.close()


def der_of(path: Path) -> bytes:
    """A certificate, whether its file is DER or PEM."""
    data = path.read_bytes()
    if data.startswith(b"-----"):
        return x509.load_pem_x509_certificate(data).public_bytes(Encoding.DER)
    return data


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_case(case: Case, client: str, places: dict[str, At]) -> None:
    try:
        async with asyncio.timeout(30):
            await case.run(places[client])
    except BaseException:
        await places[client].close()  # the next case must not suffer
        raise


@pytest.mark.parametrize("client", CLIENTS)
async def test_tshark_finds_no_malformed_packet(
    client: str, places: dict[str, At], wire: tuple[Capture, str]
) -> None:
    """Of all that came so far; and, whatever the order, of some services of each kind."""
    for name in OF_EACH_KIND:
        (case,) = (case for case in CASES if case.name == name)
        await case.run(places[client])
    capture, _ = wire
    capture.flush()
    found = await asyncio.to_thread(seen_by_tshark, capture.path, capture.port, "opcua")
    assert len(found) > 50
    for wrong in ("_ws.malformed", "_ws.expert.severity == error"):
        assert not await asyncio.to_thread(seen_by_tshark, capture.path, capture.port, wrong)
