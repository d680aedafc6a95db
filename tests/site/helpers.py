"""Site folders for tests: a small correct base, with files of a case on top."""

from __future__ import annotations

import shutil
from pathlib import Path

from scada.field.modbus import Modbus
from tags.model import Site
from tags.site import SiteError, read_site

HERE = Path(__file__).parent
BASE = HERE / "base"
DRIVERS = {"modbus": Modbus}


def make_folder(target: Path, files: dict[str, str]) -> Path:
    """The base site with other or more files."""
    shutil.copytree(BASE, target, dirs_exist_ok=True)
    for name, text in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return target


def compile_case(target: Path, case_yaml: str, **files: str) -> Site:
    """The compiled base site with `case_yaml` added."""
    folder = make_folder(target, {"case.yaml": case_yaml, **files})
    return read_site(folder, drivers=DRIVERS)


def problems_of(folder: Path) -> list[str]:
    """What is wrong with a site folder, one line each, paths of the folder left out."""
    try:
        read_site(folder, drivers=DRIVERS)
    except SiteError as error:
        return [str(problem).replace(str(folder), "SITE") for problem in error.problems]
    return []
