"""A copy of the tree to work in: a run of hours sees one state of it, whatever is edited meanwhile."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """A folder with the files that git knows or would take in, as they are now; gone at the end.

    Args:
        root: Top of a git work tree.

    Raises:
        subprocess.CalledProcessError: It is none.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True,
    ).stdout  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        top = Path(name)
        for file in map(Path, filter(None, listed.decode().split("\0"))):
            if (root / file).is_file():  # not one that was deleted and not committed yet
                (top / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / file, top / file)
        yield top
