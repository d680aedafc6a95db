"""What is wrong with a site, and where: collected until all of it can be reported at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

PROBLEMS_MAX = 500


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        file: Path relative to the site folder, or "" for the folder itself.
        line: From 1; 0 when it concerns the whole file.
        column: From 1; 0 with line 0.
        message: What is wrong and what to do, one line.
    """

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class SiteError(Exception):
    """A site that cannot run.

    Attributes:
        problems: All of them, in order of place.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written.

    Attributes:
        file: Relative to the site folder.
        line: From 1.
        column: From 1.
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def behind(self, characters: int) -> Place:
        """The place some characters further in the same line."""
        return Place(self.file, self.line, self.column + characters)


Report = Callable[[Place, str], None]


class Problems:
    """Collects problems; the same one is kept once."""

    def __init__(self) -> None:
        self.found: dict[Problem, None] = {}

    @property
    def full(self) -> bool:
        """No more are kept: looking for them is wasted time."""
        return len(self.found) >= PROBLEMS_MAX

    def add(self, place: Place, message: str) -> None:
        """Records a problem; `message` says what is wrong and what to do."""
        text = " ".join(message.split())
        if not self.full:
            self.found[Problem(place.file, place.line, place.column, text)] = None

    def raise_if_any(self) -> None:
        """Ends here when there is anything to report.

        Raises:
            SiteError: With all problems in order of place.
        """
        if self.found:
            raise SiteError(sorted(self.found))
