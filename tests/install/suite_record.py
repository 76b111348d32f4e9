"""Pytest's plugin of arm64_suite.sh: one line a file, written when its last test has ended.

A line is `file, passed, failed, skipped, seconds`, joined with tabs. The file that is being tested stands in the
second file that the environment names, so that a crash has a name.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

RESULTS = "SUITE_RESULTS"
RUNNING = "SUITE_RUNNING"
FACTORY = {"torch", "tensorflow", "trimesh", "scipy", "networkx", "shapely", "moderngl", "PIL", "tensorboard", "jinja2"}
"""What of the extras `model` and `convert` is not in the root: a file that needs it cannot be imported there."""


@dataclass(eq=False)
class Recorder:
    """Counts the outcomes of one file at a time. One is not another: pytest keeps its plugins in a set."""

    results: Path
    running: Path
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    written: set[str] = field(default_factory=set)

    def write(self, file: str) -> None:
        """Write the line of `file`, and begin to count anew."""
        counts = "\t".join(str(self.outcomes[name]) for name in ("passed", "failed", "skipped"))
        with self.results.open("a") as lines:
            lines.write(f"{file}\t{counts}\t{self.seconds:.0f}\n")
        self.written.add(file)
        self.outcomes.clear()
        self.seconds = 0.0

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported has failed; one that skips itself, or needs the model factory, is skipped."""
        if report.nodeid.endswith(".py") and report.outcome != "passed":
            missing = re.findall(r"No module named '(\w+)", report.longreprtext)
            self.outcomes["skipped" if FACTORY.intersection(missing) else report.outcome] += 1
            self.write(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A file without a test has a line too, or it would be asked for again; not where pytest itself failed."""
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
            return
        for file in session.config.args:
            if file.endswith(".py") and file not in self.written:
                self.write(file)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        """Write the line after the last test of a file."""
        file = item.nodeid.split("::")[0]
        self.running.write_text(file)
        result = yield
        if nextitem is None or nextitem.nodeid.split("::")[0] != file:
            self.write(file)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test counts once: as failed where its set-up or its tidying up fails."""
        self.seconds += report.duration
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] += 1


def pytest_configure(config: pytest.Config) -> None:
    """Begin to record, where the environment names the two files."""
    if RESULTS in os.environ:
        config.pluginmanager.register(Recorder(Path(os.environ[RESULTS]), Path(os.environ[RUNNING])), "suite-recorder")
