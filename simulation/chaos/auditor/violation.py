"""What the auditor reports."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """A promise that was not kept, and what shows it."""

    promise: str
    what: str
    evidence: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}: {self.evidence}"


Check = tuple[str, str]
"""What is wrong if a query finds a row, and that query."""
