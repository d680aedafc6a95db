"""The commands of the page on Modbus/TCP Security make certificates that both ends take."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from scada.modbus import certificates, tls
from scada.modbus.tls import Tls
from tests.docs.test_reference import DOCS


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the command openssl")
def test_the_certificates_of_the_page(tmp_path: Path) -> None:
    page = (DOCS / "how-to" / "connect-modbus-tls.md").read_text()
    script = page.partition("```bash\n")[2].partition("```")[0]
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, check=True, capture_output=True)
    roles = {}
    for name in ("plc1", "scada"):
        ends = Tls(
            ca=str(tmp_path / "ca.pem"),
            certificate=str(tmp_path / f"{name}.pem"),
            key=str(tmp_path / f"{name}.key"),
        )
        assert certificates.problems(ends) == []
        tls.client_context(ends)
        tls.server_context(ends)
        read = x509.load_pem_x509_certificate((tmp_path / f"{name}.pem").read_bytes())
        roles[name] = tls.role(read.public_bytes(Encoding.DER))
    assert roles == {"plc1": None, "scada": "operator"}
