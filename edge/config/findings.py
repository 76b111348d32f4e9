"""What is wrong with a configuration, one line each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from edge.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""The way to a value in a YAML file: keys and places in lists."""


class Severity(StrEnum):
    ERROR = "error"
    """The machine does not start."""
    WARNING = "warning"
    """It starts, and somebody should look."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to tell about a configuration file. `line` counts from 1; 0 is the file as a whole."""

    severity: Severity
    file: str
    line: int
    key: str
    value: str
    """What stands there, as it was written; empty when nothing does."""
    message: str
    """What is wrong with it and what to do, naming the value and the nearest spelling."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        kind = "warning: " if self.severity is Severity.WARNING else ""
        key = f"{self.key}: " if self.key else ""
        return f"{place}: {kind}{key}{self.message}"


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those that keep the machine from starting."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def raise_for_errors(findings: Iterable[Finding]) -> None:
    """Raises ConfigError with the first error, in one line, and the number of the others."""
    found = errors(findings)
    if found:
        others = f" (and {len(found) - 1} more: brickgate check-config)" if len(found) > 1 else ""
        raise ConfigError(f"{found[0]}{others}")


def dotted(path: KeyPath) -> str:
    """The path as people write it: `bins[2].accept[0].colour`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
