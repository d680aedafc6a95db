"""What `sinks:` compiles to, and that a site without it is as it was."""

from __future__ import annotations

from pathlib import Path

from tags.model import Secret, dump, load
from tests.site.helpers import compile_case, make_folder, problems_of

SINKS = """
sinks:
  lab: {type: victoriametrics, url: "http://127.0.0.1:8428/", tags: [tank1/*]}
  plant:
    url: https://influx.example.com:8086
    org: works
    token: {file: /etc/closedloop/influx.token}
    keys: {name: path, area: area}
    retention: 30 d
    spool: 20 %
    history: 2 years
    parallel: 2
    events: false
"""


def test_defaults_and_places_of_secrets(tmp_path: Path) -> None:
    site = compile_case(tmp_path, SINKS)
    lab, plant = site.sinks
    assert (lab.url, lab.bucket, lab.measurement, lab.tags) == (
        "http://127.0.0.1:8428",
        "case",
        "case",
        ("tank1/*",),
    )
    assert lab.keys == {"id": "path", "area": "area", "unit": "unit"}
    assert plant.token == Secret(file="/etc/closedloop/influx.token")
    assert (plant.api, plant.spool, plant.retention_ns) == ("v2", 0.2, 30 * 86_400 * 10**9)
    assert (lab.history_ns, lab.parallel, lab.events) == (0, 4, False)  # VictoriaMetrics keeps no texts
    assert (plant.history_ns, plant.parallel, plant.events) == (732 * 86_400 * 10**9, 2, False)
    assert load(dump(site)) == site
    assert site.services[-1] == "forward"
    assert {"system/forward/lab_ok", "system/forward/plant_lag", "system/supervisor/forward"} <= set(
        site.by_path()
    )


def test_without_sinks_nothing_forwards(tmp_path: Path) -> None:
    site = compile_case(tmp_path, "")
    assert site.sinks == ()
    assert "forward" not in site.services
    assert not [tag for tag in site.tags if "forward" in tag.path]


def test_sinks_need_the_historian(tmp_path: Path) -> None:
    text = SINKS + "\n"
    folder = make_folder(tmp_path, {"case.yaml": text})
    site = folder / "site.yaml"
    site.write_text(site.read_text() + "services: [field, control]\n")
    assert [line for line in problems_of(folder) if "historian is not among the services" in line]
