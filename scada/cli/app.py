"""The command tree. Modules of verbs are imported when used, so that `scada read` starts fast."""

from __future__ import annotations

import sys

import typer

from scada.cli import (
    alarms,
    bypass,
    certs,
    doctor,
    history_group,
    iosheet,
    modbus,
    opcua,
    outputs,
    people,
    plant,
    replay,
    test,
    values,
)
from scada.cli.render import FAILED, USAGE, failed
from scada.client import NotRunning

app = typer.Typer(
    name="scada",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Closedloop: a SCADA control system. Start with: scada demo",
    epilog="Exit codes: 0 done, 1 problems found or failed, 2 usage, 3 request rejected, unknown or mismatched, 78 bad site.",
)
for module in (plant, test, replay, values, bypass, doctor, iosheet):
    module.add_to(app)
app.add_typer(history_group.verbs, name="history")
app.add_typer(outputs.app, name="outputs")
app.add_typer(alarms.app, name="alarms")
app.add_typer(people.app, name="user")
app.add_typer(certs.app, name="certs")
app.add_typer(modbus.app, name="modbus")
app.add_typer(opcua.app, name="opcua")


def main() -> None:
    """Entry point of the console script."""
    try:
        _readable(sys.argv[1:])
        app()
    except BrokenPipeError:  # `scada watch … | head`
        sys.stderr.close()
        sys.exit(0)
    except NotRunning as error:  # it ran when the verb began
        raise failed(str(error), FAILED) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise failed(f"{where}{error.strerror or error}", FAILED) from None


def _readable(arguments: list[str]) -> None:
    """Bytes that are no text would only come back as an error from deep inside."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise failed(f"{argument!r} is not UTF-8.", USAGE) from None
