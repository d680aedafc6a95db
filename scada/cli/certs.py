"""`certs list|show|trust|reject|renew`: whom the OPC UA server believes; a running one follows within a second."""

from __future__ import annotations

import datetime as dt
import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from historian.audit import record
from scada.cli.options import AsJson, Data, usual_plant
from scada.cli.render import FAILED, failed, out, plain, show_json, show_table
from scada.client import StoreError
from scada.clock import SystemClock
from scada.datadir import DataDir, DataDirError

app = typer.Typer(no_args_is_help=True, help="Certificates of the OPC UA server and of its clients.")
Which = Annotated[
    str, typer.Argument(metavar="CERTIFICATE", help="How its thumbprint begins, or its name (certs list).")
]


@app.command("list")
def list_(data: Data = None, as_json: AsJson = False) -> None:
    """Own, trusted and refused certificates: until when they are valid, and why they were refused."""
    from scada.opcua.security.store import Store  # noqa: PLC0415 - not for every verb

    store = Store(_folder(data).certs)
    rows = [
        _row(store, found)
        for folder in ("own", "trusted", "issuers", "rejected")
        for found in store.certificates(folder)
    ]
    bad = store.unreadable()
    if as_json:
        show_json({"certificates": rows, "unreadable": [str(path) for path in bad]})
        return
    columns = ("where", "thumbprint", "name", "until", "application", "remark")
    keys = ("folder", "thumbprint", "name", "until", "uri", "remark")
    show_table(
        columns,
        ([row["thumbprint"][:16] if key == "thumbprint" else str(row[key]) for key in keys] for row in rows),
    )
    for path in bad:
        out.print(f"{path}: cannot be read, and does nothing.", style="yellow", markup=False)


@app.command()
def show(which: Which, data: Data = None, as_json: AsJson = False) -> None:
    """All that one certificate says."""
    store, found = _found(data, which, ("own", "trusted", "issuers", "rejected"))
    row = _row(store, found)
    if as_json:
        show_json(row)
        return
    for key, value in row.items():
        out.print(f"{key:12} {plain(str(value))}", markup=False)


@app.command()
def trust(
    which: Annotated[
        str,
        typer.Argument(
            metavar="CERTIFICATE|FILE",
            help="A refused one (certs list), or a file: a certificate, or an authority's list of revoked ones.",
        ),
    ],
    issuer: Annotated[
        bool,
        typer.Option(
            "--issuer", help="An authority that only completes chains: whom it signed is not trusted."
        ),
    ] = False,
    data: Data = None,
) -> None:
    """Lets a client connect from now on, or all clients of an authority."""
    from scada.opcua.security import store as stores  # noqa: PLC0415

    folder = _folder(data)
    store = stores.Store(folder.certs)
    where = "issuers" if issuer else "trusted"
    try:
        path = Path(which)
        if path.is_file():
            if stores.is_revocations(path):
                _recorded(folder, "revocations", path.name, "")
                out.print(f"{store.put_revocations(path)}: taken.", markup=False)
                return
            found = stores.read(path)
            _recorded(folder, "trust", found.name, found.thumbprint)
            store.put(where, found.der)
        else:
            store, found = _found(data, which, ("rejected", "trusted", "issuers"))
            _recorded(folder, "trust", found.name, found.thumbprint)
            store.move(found, where)
    except ValueError as error:
        raise failed(f"{which}: {error}", FAILED)
    row = _row(store, stores.Found(where, found.path, found.der, found.certificate))
    out.print(f"{plain(found.name)} ({found.thumbprint[:16]}): {where}. {row['remark']}", markup=False)


@app.command()
def reject(which: Which, data: Data = None) -> None:
    """Refuses a client that was trusted: its connections end at once."""
    store, found = _found(data, which, ("trusted", "issuers"))
    _recorded(_folder(data), "reject", found.name, found.thumbprint)
    store.move(found, "rejected")
    out.print(f"{plain(found.name)} ({found.thumbprint[:16]}): rejected.", markup=False)


@app.command()
def renew(
    bits: Annotated[
        int | None, typer.Option("--key-bits", help="2048, 3072 or 4096; as many as before.")
    ] = None,
    data: Data = None,
) -> None:
    """Makes a new key and certificate for the server. Every client must trust the new one."""
    from scada.opcua.security import own  # noqa: PLC0415
    from scada.opcua.security.validate import thumbprint  # noqa: PLC0415

    if bits is not None and bits not in own.KEY_BITS:
        raise failed(f"--key-bits {bits}: take 2048, 3072 or 4096.")
    folder = _folder(data)
    try:
        made = own.renew(folder.certs, _now(), bits)
    except FileNotFoundError:
        raise failed(f"{folder.certs}: there is no certificate yet. The server makes one at its first start.")
    except ValueError as error:
        raise failed(str(error))
    print_ = thumbprint(made.file.read_bytes())
    _recorded(folder, "renew", "own", print_)
    until = f"{made.certificate.not_valid_after_utc:%Y-%m-%d}"
    out.print(f"{made.file}: {print_[:16]}, {made.private.key_size} bits, until {until}.", markup=False)
    out.print("A running server opens new connections with it. Let every client trust it.")


def _row(store: Any, found: Any) -> dict[str, Any]:
    from scada.opcua.security import validate  # noqa: PLC0415

    certificate = found.certificate
    now = _now()
    remark = ""
    if found.folder in {"trusted", "rejected"}:
        trusts = store.trust()
        may = found.folder == "rejected" and validate.check([found.der], trusts, now) is None
        if found.folder == "rejected":  # what else is wrong with it, were it trusted
            trusts = validate.TrustList((*trusts.trusted, certificate), trusts.issuers, trusts.revocations)
        problem = validate.check([found.der], trusts, now)
        if problem is not None and not validate.is_authority(certificate):
            remark = f"{problem.name}: {problem.message}"
        elif may:
            remark = "may connect by now: its authority is trusted"
        elif found.folder == "rejected":
            remark = "not trusted yet"
    left = certificate.not_valid_after_utc - now
    if not remark and left < dt.timedelta(days=30):
        remark = f"ends in {left.days} days" if left > dt.timedelta() else "has ended"
    return {
        "folder": found.folder,
        "thumbprint": found.thumbprint,
        "name": plain(found.name),
        "subject": plain(certificate.subject.rfc4514_string()),
        "issuer": plain(certificate.issuer.rfc4514_string()),
        "uri": plain(", ".join(validate.application_uris(certificate))),
        "since": f"{certificate.not_valid_before_utc:%Y-%m-%d}",
        "until": f"{certificate.not_valid_after_utc:%Y-%m-%d}",
        "bits": getattr(certificate.public_key(), "key_size", 0),
        "sha256": validate.fingerprint(found.der),
        "file": str(found.path),
        "remark": remark,
    }


def _found(data: Path | None, which: str, folders: tuple[str, ...]) -> tuple[Any, Any]:
    from scada.opcua.security.store import Store  # noqa: PLC0415

    store = Store(_folder(data).certs)
    found = store.find(which, folders)
    if len(found) == 1:
        return store, found[0]
    if not found:
        raise failed(
            f"There is no certificate {which!r} among {', '.join(folders)}. Look with: scada certs list"
        )
    names = ", ".join(f"{one.thumbprint[:16]} ({one.folder})" for one in found)
    raise failed(f"{which!r} is more than one: {names}. Write more of the thumbprint.")


def _folder(data: Path | None) -> DataDir:
    folder = DataDir(data or usual_plant())
    try:
        folder.create()
    except DataDirError as error:
        raise failed(str(error))
    return folder


def _recorded(folder: DataDir, action: str, name: str, thumbprint: str) -> None:
    try:
        record(
            folder.history,
            "certificate",
            SystemClock().utc_ns(),
            action=action,
            name=name,
            thumbprint=thumbprint,
            user=getpass.getuser(),
            source="cli",
        )
    except StoreError as error:
        raise failed(f"The audit trail cannot be written, so nothing was done: {error}", FAILED)


def _now() -> dt.datetime:
    return dt.datetime.fromtimestamp(SystemClock().utc_ns() / 1e9, dt.UTC)
