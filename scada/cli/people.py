"""`user add`: accounts for HMI and OPC UA."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from historian.audit import record
from scada.access import ROLES
from scada.cli.options import Data, usual_plant
from scada.cli.render import FAILED, failed, out
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
