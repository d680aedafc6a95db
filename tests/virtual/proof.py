"""A site with outputs of every kind and nothing that drives them: each write is somebody's request."""

from __future__ import annotations

from pathlib import Path

from tags.model import Site
from tags.site import read_site

_HEAD = """
site: proof
timezone: Europe/Madrid
scan: 100 ms
opcua: {endpoint: "opc.tcp://127.0.0.1:4840"}
hmi: {host: 127.0.0.1, port: 8080}
defaults:
  analog: {scan: 200 ms}
  discrete: {scan: 200 ms}
  output: {deadband: 0 %, min_interval: 100 ms}
devices:
"""
_DEVICE = """
  PLC{n}:
    {{driver: modbus, endpoint: "tcp://127.0.0.1:{port}", unit_id: 1, word_order: big, timeout: 500 ms,
     heartbeat: {{address: holding/100, every: 1 s}}}}
"""
_LEVEL = """
  {area}/LV-{i}: {{device: PLC{n}, address: holding/{at}, type: int32, range: [0, 100000000], owner: scada, on_loss: {loss}{more}}}
"""
_SHARED = """
  {area}/SP-{i}: {{device: PLC{n}, address: holding/{at}, type: int32, range: [0, 100000000], owner: shared, on_loss: hold}}
"""
_PULSE = """
  {area}/P-{i}/START: {{device: PLC{n}, address: coil/{c}, type: bool, owner: plc, write: pulse 500 ms, on_loss: hold{more}}}
  {area}/P-{i}/STOP: {{device: PLC{n}, address: coil/{d}, type: bool, owner: plc, write: pulse 500 ms, stop: true, on_loss: hold}}
"""
_SWITCH = """
  {area}/FD-{i}: {{device: PLC{n}, address: coil/{c}, type: bool, owner: scada, on_loss: hold}}
"""
_LOSS = ("hold", "release", "{hold: 3 s, then: 7}", "{hold: 12 s, then: 9}")


def proof_site(folder: Path, devices: int = 2, outputs: int = 8) -> Site:
    """Writes and reads the site.

    Args:
        folder: Where to.
        devices: Number of PLCs.
        outputs: Of each kind, for each PLC.
    """
    parts = [_HEAD]
    parts += [_DEVICE.format(n=n, port=5020 + n) for n in range(1, devices + 1)]
    parts.append("tags:\n")
    for n in range(1, devices + 1):
        area = f"area{n}"
        parts.append(f"\n  {area}/REM: {{device: PLC{n}, address: discrete/0, type: bool}}\n")
        parts.append(
            f"\n  {area}/TEXT: {{device: PLC{n}, address: holding/500x8, type: string, owner: scada, on_loss: hold}}\n"
        )
        for i in range(1, outputs + 1):
            remote = f", remote: {area}/REM" if i % 2 else ""
            refresh = ", write: refresh 3 s" if i % 4 == 2 else ""
            at = 200 + 2 * i
            parts.append(_LEVEL.format(area=area, i=i, n=n, at=at, loss=_LOSS[i % 4], more=remote + refresh))
            parts.append(_SHARED.format(area=area, i=i, n=n, at=at + 100))
            parts.append(_PULSE.format(area=area, i=i, n=n, c=4 * i, d=4 * i + 1, more=remote))
            parts.append(_SWITCH.format(area=area, i=i, n=n, c=4 * i + 2))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site.yaml").write_text("".join(parts))
    return read_site(folder)
