"""A service that does not run a machine: who drives it is the test's."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.clock import VirtualClock
from edge.config import example
from edge.run import RunReport
from edge.service import Service, ServiceFiles
from edge.service_manager import ServiceManager
from edge.signals import StopRequest


class Told(ServiceManager):
    """A service manager that writes down what it is told."""

    def __init__(self) -> None:
        super().__init__({})
        self.lines: list[str] = []

    def tell(self, *lines: str) -> None:
        self.lines += lines


class Waiting(VirtualClock):
    """Time in which something happens: `then` is called at each sleep, with the number of sleeps before it."""

    def __init__(self, then: Callable[[int], object]) -> None:
        super().__init__(1000.0)
        self._then = then
        self.sleeps = 0

    def sleep_until(self, instant_s: float) -> None:
        super().sleep_until(instant_s)
        if self.sleeps > 1000:
            raise AssertionError("it waits for ever")
        self._then(self.sleeps)
        self.sleeps += 1


class Bench:
    """The folders of a service, and its starts."""

    def __init__(self, folder: Path) -> None:
        self.etc, self.run, self.var = folder / "etc", folder / "run", folder / "var"
        for made in (self.run, self.var):
            made.mkdir()
        shutil.copytree(example("beginner-4"), self.etc)
        self.files = ServiceFiles(
            self.etc / "machine.yaml", self.etc / "bins.yaml", self.var / "journal.jsonl", self.run
        )
        self.clock = Waiting(lambda sleeps: None)
        self.said: list[str] = []
        self.stop = StopRequest()
        self.manager = Told()

    def start(self, drive: Callable[..., RunReport], then: Callable[[int], object] | None = None) -> int:
        """One start; a stop is asked for at the first sleep, unless something else is to happen then."""
        self.stop, self.manager, self.said = StopRequest(), Told(), []
        now_s = self.clock.now_s()
        self.clock = Waiting(then or (lambda sleeps: self.ask_to_stop()))
        self.clock.advance(now_s + 1 - self.clock.now_s())
        return Service(self.files, self.said.append, self.stop, self.clock, self.manager, drive).run()

    def ask_to_stop(self) -> None:
        self.stop.signal = signal.SIGTERM

    @property
    def state(self) -> dict[str, Any]:
        return json.loads((self.run / "state.json").read_text())

    @property
    def issue(self) -> str:
        return (self.run / "issue").read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
