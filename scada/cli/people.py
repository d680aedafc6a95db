"""`user add|list|remove|certificate`: accounts for HMI and OPC UA."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from historian.audit import record
from scada.access import ROLES
from scada.cli.options import AsJson, Data, usual_plant
from scada.cli.render import FAILED, USAGE, failed, out, show_json, show_table
from scada.client import StoreError
from scada.clock import SystemClock
from scada.datadir import DataDir, DataDirError
from scada.users import Users

app = typer.Typer(no_args_is_help=True, help="Accounts for the HMI and OPC UA.")


@app.callback()
def _group() -> None:
    """Accounts for the HMI and OPC UA."""


@app.command()
def add(
    name: str,
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")] = "operator",
    stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    data: Data = None,
) -> None:
    """Adds a user, or gives one a new password and role."""
    folder = DataDir(data or usual_plant())
    try:
        folder.create()
        password = (
            sys.stdin.readline().rstrip("\n")
            if stdin
            else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        )
        Users(folder.users).add(name, password, role)
        record(
            folder.history,
            "user",
            SystemClock().utc_ns(),
            name=name,
            role=role,
            user=getpass.getuser(),
            source="cli",
        )
    except StoreError as error:
        raise failed(
            f"{name}: {role}, in {folder.root}. The audit trail could not be written: {error}", FAILED
        )
    except (ValueError, DataDirError) as error:
        raise failed(str(error), FAILED)
    except OSError as error:
        raise failed(f"{folder.users}: {error.strerror}", FAILED)
    out.print(f"{name}: {role}, in {folder.root}")


@app.command("list")
def list_(data: Data = None, as_json: AsJson = False) -> None:
    """Who there is, with which role and certificates."""
    users = Users(DataDir(data or usual_plant()).users)
    try:
        rows = [(name, role, users.certificates(name)) for name, role in users.roles().items()]
    except ValueError as error:
        raise failed(str(error), FAILED)
    if as_json:
        show_json([{"name": name, "role": role, "certificates": held} for name, role, held in rows])
        return
    show_table(
        ("name", "role", "certificates"),
        (
            (name, role, ", ".join(f"{print_[:16]} {subject}" for print_, subject in held.items()))
            for name, role, held in rows
        ),
    )


@app.command()
def remove(name: str, data: Data = None) -> None:
    """Takes a user away; sessions in his name end."""
    folder = _folder(data)
    users = _of(folder, name)
    _recorded(folder, "user", name=name, role="", action="remove")
    users.remove(name)
    out.print(f"{name}: removed", markup=False)


@app.command()
def certificate(
    name: str,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The person's certificate, DER or PEM.")
    ] = None,
    remove: Annotated[
        str | None,
        typer.Option("--remove", metavar="FINGERPRINT", help="Take one away: how its SHA-256 begins."),
    ] = None,
    data: Data = None,
) -> None:
    """Lets a user sign in to OPC UA with a certificate instead of a password."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415

    from scada.opcua.security.store import read  # noqa: PLC0415 - not for every verb
    from scada.opcua.security.validate import KEY_BITS, fingerprint  # noqa: PLC0415

    if (file is None) == (remove is None):
        raise failed("Name a certificate file, or --remove FINGERPRINT.", USAGE)
    folder = _folder(data)
    users = _of(folder, name)
    try:
        if file is not None:
            try:
                found = read(file)
            except ValueError as error:
                raise ValueError(f"{file}: {error}") from error
            bits = getattr(found.certificate.public_key(), "key_size", 0)
            if not isinstance(found.certificate.public_key(), RSAPublicKey) or bits < KEY_BITS[0]:
                raise failed(f"{file}: its key does not do. Make one of RSA with 2048 bits or more.", FAILED)
            digest = fingerprint(found.der)
            _recorded(folder, "user", name=name, action="certificate", fingerprint=digest)
            users.allow(name, digest, found.name)
        elif remove is not None:
            digest = remove
            _recorded(folder, "user", name=name, action="certificate removed", fingerprint=digest)
            users.disallow(name, digest)
    except ValueError as error:
        raise failed(str(error), FAILED)
    except OSError as error:
        raise failed(f"{error.filename}: {error.strerror}", FAILED)
    out.print(f"{name}: {digest[:16]} {'added' if file else 'removed'}", markup=False)


def _folder(data: Path | None) -> DataDir:
    folder = DataDir(data or usual_plant())
    try:
        folder.create()
    except DataDirError as error:
        raise failed(str(error), FAILED)
    return folder


def _of(folder: DataDir, name: str) -> Users:
    """The users, of whom this is one."""
    users = Users(folder.users)
    try:
        if name in users.roles():
            return users
    except ValueError as error:
        raise failed(str(error), FAILED)
    raise failed(f"There is no user {name}. Add one with scada user add.", FAILED)


def _recorded(folder: DataDir, kind: str, **fields: str) -> None:
    try:
        record(folder.history, kind, SystemClock().utc_ns(), user=getpass.getuser(), source="cli", **fields)
    except StoreError as error:
        raise failed(f"The audit trail cannot be written, so nothing was done: {error}", FAILED)
