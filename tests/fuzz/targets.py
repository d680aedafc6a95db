"""Everything in Modbus and OPC UA that reads bytes or texts of somebody else, and valid inputs for each."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from scada.modbus import dump, endpoint, mbap, rtu, tls, wire
from scada.simulate.connection import MbapConnection, RtuConnection
from tests.fuzz import opcua
from tests.fuzz.connection import client, server
from tests.fuzz.connection import replies as replies_on

Reader = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Target:
    """One reader.

    Attributes:
        name: For people and seeds.
        seeds: Makes its valid inputs.
        make: Makes the reader; what it returns is true when an input was taken as something.
        promised: Exceptions that say "this is nothing I read".
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    make: Callable[[], Reader]
    promised: tuple[type[Exception], ...] = field(default=())


# -- valid inputs ---------------------------------------------------------------------------------------------------

ASKS = (
    wire.read("holding", 10, 4),
    wire.read("input", 0, 125),
    wire.read("coil", 3, 19),
    wire.read("discrete", 0, 2000),
    wire.write_coil(5, on=True),
    wire.write_register(7, b"\x12\x34"),
    wire.write_registers(7, bytes(8)),
    wire.mask_write(3, 0xFFFE, 1),
)


def requests() -> list[bytes]:
    """PDUs of requests, of all functions that exist."""
    more = ["07", "08000012AB", "0B", "0C", "11", "14 06 06 0004 0001 0002", "15 09 06 0004 0007 0001 0001",
            "17 0003 0006 000E 0003 06 00FF00FF00FF", "18 04DE", "2B0E0100", "2B0E0401", "0F 0013 000A 02 CD01"]  # fmt: skip
    return [bytes((ask.function,)) + ask.data for ask in ASKS] + [bytes.fromhex(text) for text in more]


def replies() -> list[bytes]:
    """PDUs of right replies, and of exceptions."""
    found = []
    for ask in ASKS:
        size = ask.reply_bytes or 0
        found.append(bytes((ask.function,)) + ask.reply_head + bytes(size - len(ask.reply_head)))
        found.append(bytes((ask.function | 0x80, 2)))
    identification = b"\x2b\x0e\x01\x01\x00\x00\x02\x00\x04ACME\x01\x03PLC"
    return [*found, identification, b"\x11\x03\x01\xff\x07", b"\x18\x00\x04\x00\x01\x12\x34"]


def mbap_frames(pdus: Sequence[bytes]) -> list[bytes]:
    """Frames of Modbus/TCP."""
    return [mbap.frame(number + 1, 1, pdu) for number, pdu in enumerate(pdus)]


def rtu_frames(pdus: Sequence[bytes]) -> list[bytes]:
    """Frames of RTU."""
    return [rtu.frame(1, pdu[0], pdu[1:]) for pdu in pdus]


def _texts(*texts: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode() for text in texts]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


_AT_ONCE = 64
_NUMBERS = ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")

# -- readers --------------------------------------------------------------------------------------------------------


def _mbap_parser() -> Reader:
    """A stream: each input arrives in two pieces, behind what was left of the one before."""
    state = [mbap.Parser()]

    def read(data: bytes) -> bool:
        half = len(data) // 2
        try:
            frames = state[0].feed(data[:half]) + state[0].feed(data[half:])
        except mbap.MalformedError:
            state[0] = mbap.Parser()
            raise
        assert state[0].pending < mbap.FRAME_MOST
        for _, _, pdu in frames:
            assert 1 <= len(pdu) <= mbap.MOST_PDU
        return bool(frames)

    return read


def _rtu_reply(data: bytes) -> bool:
    size = rtu.reply_bytes(data)
    assert size is None or 0 <= size <= rtu.LONGEST
    assert size is not None or len(data) < rtu.LONGEST
    return bool(size) and len(data) >= (size or 0) and rtu.whole(data[:size])


def _rtu_request(data: bytes) -> bool:
    size = rtu.request_bytes(data)
    assert size is None or 0 <= size <= rtu.LONGEST
    assert size is not None or len(data) < rtu.LONGEST
    return bool(size) and len(data) >= (size or 0) and rtu.whole(data[:size])


def _matching() -> Reader:
    """A reply against every request: only what has its length and its head answers it."""

    def read(data: bytes) -> bool:
        found = False
        for ask in ASKS:
            if ask.answered_by(data[1:]) and data[0] == ask.function:
                found = True
                assert len(data) - 1 == ask.reply_bytes
                assert data[1:].startswith(ask.reply_head)
        return found

    return read


def _role(data: bytes) -> bool:
    name = tls.role_of(data)
    assert tls.role_value(name) == data
    return True


def _certificates() -> list[bytes]:
    """Certificates with roles, DER; the same bytes each time."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device")])
    plain = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2036, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("plc")]), critical=False)
    )
    role = x509.ObjectIdentifier(tls.ROLE_OID)
    made = [plain] + [
        plain.add_extension(x509.UnrecognizedExtension(role, value), critical=False)
        for value in (tls.role_value("operator"), tls.role_value("Ö" * 100), b"", b"\x30\x00")
    ]
    return [one.sign(key, None).public_bytes(Encoding.DER) for one in made]


def _endpoint(data: bytes) -> bool:
    at = endpoint.parse(_text(data))
    assert endpoint.parse(str(at)) == at
    return True


def _address() -> Reader:
    from scada.field.modbus import address
    from scada.field.modbus.config import Config
    from tags import types

    config = Config(endpoint="tcp://plc")
    kinds = (types.BOOL, types.UINT16, types.FLOAT32, types.FLOAT64, types.STRING)

    def read(data: bytes) -> bool:
        text = _text(data)
        for kind in kinds:
            try:
                at = address.parse(text, kind, config)
            except ValueError:
                continue
            assert 0 <= at.offset < at.end <= 65536
            assert address.Address.of(at.to_json()) == at
            return True
        return False

    return read


def _config() -> Reader:
    import json

    from scada.field.modbus.config import Config

    def read(data: bytes) -> bool:
        try:
            settings = json.loads(data)
        except (ValueError, RecursionError):
            return False
        if not isinstance(settings, dict):
            return False
        config = Config(**{str(key): value for key, value in settings.items()})
        assert config.timeout_ns > 0
        assert config.at.scheme in endpoint.SCHEMES
        return True

    return read


def _decode() -> Reader:
    """Payloads of every type, scaled and not; many are decoded at once, as the driver does."""
    import numpy as np

    from scada.field.modbus import plan
    from scada.field.modbus.address import COUNT, Address
    from scada.field.modbus.config import Config
    from scada.field.modbus.decode import Decoder, Point
    from tags.model import Scaling
    from tags.types import BCD

    points, at = [], 0
    for kind in _NUMBERS:
        size = COUNT[kind]
        for scaling in (Scaling(), Scaling(gain=0.5, offset=-3.0, bad_below=-100.0, bad_above=30_000.0)):
            points.append(Point(Address("holding", at, None, size, kind), "float64", scaling))
            points.append(Point(Address("holding", at, None, size, kind), kind if scaling.gain == 1.0 else "float64", scaling))  # fmt: skip
            at += size
    bends = Scaling(gain=0.01, root=(0.0, 100.0), cutoff=1.0), Scaling(curve=((-5.0, 9.0), (3e4, -1e9)))
    for kind in ("bcd32", "float32"):
        points += [
            Point(Address("holding", 0, None, COUNT[kind], kind, 1, "BADC"), "float64", one) for one in bends
        ]
    points.append(Point(Address("holding", 1, 4, 1, "int16", 9, "DCBA"), "int16"))
    points.append(Point(Address("holding", 2, None, 4, "bcd64"), BCD["bcd64"]))
    points.append(Point(Address("holding", at, 3, 1, "bool"), "bool"))
    points.append(Point(Address("holding", at, None, 8, "string"), "string"))
    each, size = len(points), 2 * (at + 8)
    requests = [
        plan.Request("holding", 0, at + 8, tuple(range(n * each, (n + 1) * each))) for n in range(_AT_ONCE)
    ]
    points *= _AT_ONCE
    decoder = Decoder(points, requests, Config(endpoint="tcp://plc"))
    real = np.array([i for i, point in enumerate(points) if point.type.startswith("float")])
    payloads: list[bytes] = []

    def read(data: bytes) -> bool:
        payloads.append((data * (1 + size // max(1, len(data))))[:size] if data else bytes(size))
        if len(payloads) < _AT_ONCE:
            return False
        for number, payload in enumerate(payloads):
            decoder.put(number, payload)
        payloads.clear()
        bits, status = decoder.decode()
        assert len(bits) == len(status) == len(points)
        for position in decoder.texts:
            decoder.text(position).encode()
        assert np.isfinite(bits[real].view(np.float64)[status[real] == 0]).all()
        return True

    return read


def _answer() -> Reader:
    """The simulator's side: whatever a client sends has an answer that fits into a frame."""
    from scada.simulate.answer import answer
    from scada.simulate.registers import Registers

    registers = Registers(200, 200, 200, 200)

    def read(data: bytes) -> bool:
        if not data:
            return False
        reply = answer(registers, data[: mbap.MOST_PDU], 1)
        assert 1 < len(reply) <= mbap.MOST_PDU
        assert reply[0] & 0x7F == data[0] & 0x7F
        return reply[0] < 0x80

    return read


def _dump(data: bytes) -> bool:
    found = dump.parse(_text(data))
    again = dump.parse("".join(dump.lines(found.header, found.ranges)))  # its times are of microseconds
    assert again == dump.parse("".join(dump.lines(again.header, again.ranges)))
    assert [one.values for one in again.ranges] == [one.values for one in found.ranges]
    return True


_RANGES = (
    dump.Range(0.0, "holding", 100, (1, 2, 65535), 3),
    dump.Range(0.5, "coil", 0, (0, 1), 2),
    dump.Range(0.5, "input", 7, (), 4, 2),
)

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("mbap", lambda: mbap_frames(requests() + replies()), _mbap_parser, (mbap.MalformedError,)),
        Target("rtu replies", lambda: rtu_frames(replies()), lambda: _rtu_reply),
        Target("rtu requests", lambda: rtu_frames(requests()), lambda: _rtu_request),
        Target("matching", replies, _matching),
        Target("role", lambda: [tls.role_value("operator"), tls.role_value("é" * 100)], lambda: _role, (ValueError,)),
        Target("certificate", _certificates, lambda: lambda data: tls.role(data) or True, (ValueError,)),
        Target(
            "endpoint",
            _texts("tcp://plc:502", "tls://[::1]:802", "rtu+tcp://10.0.0.1:4001", "rtu:///dev/ttyUSB0", "tcp://a.b-c"),
            lambda: _endpoint,
            (ValueError,),
        ),
        Target(
            "address",
            _texts("holding/100", "holding/10.3", "coil/0", "holding/100x8", "30001", "400101", "holding/10.4-7", "40001x4"),
            _address,
        ),
        Target(
            "config",
            _texts(
                '{"endpoint": "tcp://plc:502", "unit_id": 3, "timeout": "500 ms", "forbidden": ["holding/200-210"]}',
                '{"endpoint": "rtu:///dev/ttyS1", "serial": {"baud": 9600, "parity": "even"}, "max_gap": 4}',
                '{"endpoint": "tls://plc", "tls": {"ca": "a", "certificate": "b", "key": "c"}, "client": "pymodbus"}',
                '{"endpoint": "tcp://plc", "window": 8, "max_registers": 20, "word_order": "little", "writes": "multiple"}',
            ),
            _config,
            (ValidationError,),
        ),
        Target("payloads", lambda: [bytes(64), struct.pack(">8f", *range(8)), b"text\0" * 20, b"\x7f\xc0\0\0" * 8, b"\x7f\xa0\0\1" * 32], _decode),
        Target("simulated device", requests, _answer),
        Target("simulated device on tcp", lambda: mbap_frames(requests()), lambda: server(MbapConnection)),
        Target("simulated device on rtu", lambda: rtu_frames(requests()), lambda: server(RtuConnection)),
        Target("client on tcp", lambda: replies_on("tcp"), lambda: client("tcp", "native")),
        Target("client on rtu", lambda: replies_on("rtu"), lambda: client("rtu", "native")),
        Target("pymodbus on tcp", lambda: replies_on("tcp"), lambda: client("tcp", "pymodbus")),
        Target(
            "dump",
            lambda: ["".join(dump.lines(dump.Header("P", "tcp://p", 3, "2026", 0.5, {"V": "A"}), _RANGES)).encode()],
            lambda: _dump,
            (ValueError,),
        ),
        Target("opcua chunks", opcua.chunk_seeds, opcua.frames, opcua.REFUSALS),
        Target("opcua requests", opcua.request_seeds, lambda: opcua.request, opcua.REFUSALS),
    )
}  # fmt: skip
