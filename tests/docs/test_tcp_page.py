"""The site of the page on Modbus TCP, and its window, are accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from scada.field.modbus import Modbus
from tags.site import read_site
from tests.docs.test_reference import DOCS

PAGE = (DOCS / "how-to" / "connect-modbus-tcp.md").read_text()
EXAMPLES = [part.partition("```")[0] for part in PAGE.split("```yaml\n")[1:]]
HEAD = "site: one\ntimezone: UTC\n"


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_page(number: int, tmp_path: Path) -> None:
    text = EXAMPLES[number]
    (tmp_path / "site.yaml").write_text(HEAD + (text if text.startswith("devices:") else "devices:\n" + text))
    site = read_site(tmp_path, drivers={"modbus": Modbus})
    assert [device.name for device in site.devices] == ["PLC1"]
    assert Modbus.Config.model_validate(site.devices[0].config).at.port == 502


def test_there_are_two() -> None:
    assert len(EXAMPLES) == 2
