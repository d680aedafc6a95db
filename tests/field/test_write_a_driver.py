"""The how-to for drivers: what it shows keeps the contract, installs, and runs a plant. Drivers that do not are found."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scada.client import Client, NotRunning
from tests.support.ports import free_ports
from tests.support.wait import wait_for

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-driver.md"


def parts(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def write_down(folder: Path, *changes: tuple[str, str]) -> Path:
    """The files of the page, with changes to the driver."""
    driver, test = parts("python")
    for old, new in changes:
        assert driver.count(old) == 1, old
        driver = driver.replace(old, new)
    (folder / "acme.py").write_text(driver)
    (folder / "test_acme.py").write_text(test)
    (folder / "pyproject.toml").write_text(parts("toml")[0])
    return folder


def contract(folder: Path, *options: str) -> tuple[int, str]:
    """Runs the page's tests as its reader would."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *options, "test_acme.py"],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_the_example_keeps_the_contract(tmp_path: Path) -> None:
    code, said = contract(write_down(tmp_path))
    assert code == 0, said
    assert parts("console")[0].splitlines()[-1] in said


BUGS = {
    "what was never read is good": ("quality.BAD_WAITING_FOR_INITIAL_DATA, np.uint32", "quality.GOOD, np.uint32"),
    "no time of the reply": ("self._source_ns[i] = self._clock.utc_ns()", "pass"),
    "an old value after silence": (
        "        except RefusedError:\n            self._status[i]",
        "        except Exception:\n            self._status[i]",
    ),
    "unknown settings pass": ('extra="forbid", frozen=True', "frozen=True"),
    "settings change": ('extra="forbid", frozen=True', 'extra="forbid"'),
    "NaN is sent": ("        if not math.isfinite(value):\n            raise", "        if False:\n            raise"),
    "one request is all": (
        "self._groups[group] if only is None else [self._groups[group][only]]",
        "self._groups[group]",
    ),
    "nothing was fetched": ("        return 1\n", "        return 0\n"),
    "the neighbour is written": ("self._names[position]\n", "self._names[position - 1]\n"),
    "a write is only said": ('await self._link.ask(f"SET {name} {value!r}", name)', "pass"),
    "wrong groups": ("for period in each]\n", "for period in each[::-1]]\n"),
    "the first value of all": ("self._values[at].view", "self._values[at * 0].view"),
    "a refusal drops the link": ("raise RefusedError(min(max(int(found[1]), 1), 252))", "raise ValueError"),
}  # fmt: skip

ALSO = {"NaN is sent": ("~np.isfinite(bits.view(np.float64))", "np.zeros(len(bits), np.bool_)")}


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS)
def test_a_driver_that_breaks_the_contract_is_found(tmp_path: Path, bug: str) -> None:
    code, said = contract(write_down(tmp_path, BUGS[bug], *([ALSO[bug]] if bug in ALSO else [])), "-x")
    assert code == 1, said
    assert "1 failed" in said


@contextmanager
def indicator(folder: Path) -> Iterator[tuple[int, dict[str, float]]]:
    """The page's stand-in, in a thread: its port and what it holds."""
    sys.path.insert(0, str(folder))
    try:
        import test_acme  # type: ignore[import-not-found]

        peer = test_acme.Indicator()
    finally:
        sys.path.remove(str(folder))
        for name in ("test_acme", "acme"):
            sys.modules.pop(name, None)
    peer.values |= {"weight": 20.5, "target": 0.0}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(peer.start(), loop).result(5)
    try:
        yield peer.port, peer.values
    finally:
        asyncio.run_coroutine_threadsafe(peer.stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_example_installs_and_runs_a_plant(tmp_path: Path) -> None:
    package, site, data = tmp_path / "package", tmp_path / "site", tmp_path / "data"
    package.mkdir()
    site.mkdir()
    write_down(package)
    installed = tmp_path / "installed"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps", "--no-index",
         "--no-cache-dir", "--disable-pip-version-check", "--target", str(installed), str(package)],
        check=True, timeout=100,
    )  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(installed)}
    scada = str(Path(sys.executable).with_name("scada"))

    def ask(*arguments: str) -> str:
        done = subprocess.run([scada, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with indicator(package) as (port, values):
        (site / "site.yaml").write_text(parts("yaml")[0].replace(":4000", f":{port}"))
        assert "No problems" in ask("check", str(site))
        first = free_ports(2)
        ports = ["--opcua-port", str(first), "--hmi-port", str(first + 1)]
        plant = subprocess.Popen([scada, "run", str(site), "--data", str(data), *ports], env=environment)
        try:

            def client() -> Client | None:
                try:
                    return Client(data)
                except (NotRunning, OSError, ValueError):
                    return None

            with wait_for(client, 30, "the plant runs") as one:

                def read(path: str) -> float | None:
                    one.refresh()
                    sample = one.read(path)
                    return None if sample.status else float(sample.value)

                wait_for(lambda: read("dough/WT-1") == 20.5, 20, "the weight is read")
                values["weight"] = -1.25
                wait_for(lambda: read("dough/WT-1") == -1.25, 10, "the weight follows")
                ask("outputs", "arm", "SCALE1", "--reason", "test", "--data", str(data))
                assert "confirmed" in ask("write", "dough/SP", "42.5", "--data", str(data))
                assert values["target"] == 42.5
        finally:
            plant.send_signal(signal.SIGINT)
            assert plant.wait(20) == 0
