"""`brickgate service`: what systemd runs. It sorts; where it cannot, it ends in a state that can be read.

A configuration or model that cannot be used, and a machine that keeps failing, end in safe mode: nothing is opened
and nothing moves, the reason is on the console, in the journal and on the status page, and the process waits. It
leaves safe mode when it is told to end, and, after a bad configuration, when one of the files was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.clock import Clock
from edge.config.report import check, errors
from edge.crash_record import CrashRecord
from edge.errors import BrickgateError, BundleError, ConfigError
from edge.machine import Plans, read_plans
from edge.parts_record import open_journal
from edge.run import RunReport, run
from edge.service_manager import ALIVE, READY, STILL_STARTING, STOPPING, ServiceManager
from edge.service_state import SAFE_MODE, STARTING, STOPPED, Sorting, StateFile
from edge.signals import StopRequest

FAULT = 1
"""Exit code after a fault: systemd starts the service again."""
CHANGED = 3
"""Exit code when the configuration was changed in safe mode: systemd starts the service again."""
LOOK_EVERY_S = 1.0
ENDS_AS_ASKED = "the service was told to stop"


@dataclass(frozen=True, slots=True)
class ServiceFiles:
    """Where everything is. `folder` is the service's run-time folder."""

    machine: Path
    bins: Path
    journal: Path
    folder: Path

    def stamps(self) -> tuple[tuple[int, int] | None, ...]:
        """Changes when one of the configuration's files does."""
        return tuple(map(_stamp, (self.machine, self.bins, self.machine.with_name("calibration.yaml"))))


class Service:
    """One start of the service.

    Args:
        say: told in one line of whatever the user should know.
        stop: looked at all the time.
        drive: runs the machine, as `edge.run.run` does.
    """

    def __init__(
        self,
        files: ServiceFiles,
        say: Callable[[str], None],
        stop: StopRequest,
        clock: Clock,
        manager: ServiceManager,
        drive: Callable[..., RunReport] = run,
    ) -> None:
        self._files = files
        self._say = say
        self._stop = stop
        self._clock = clock
        self._manager = manager
        self._drive = drive
        self._state = StateFile(files.folder)
        self._crashes = CrashRecord(files.folder / "crashes.json", clock)

    def run(self) -> int:
        """Sorts or stands still until it is told to stop. Returns the exit code."""
        stamps = self._files.stamps()
        if reason := self._crashes.too_many():
            return self._stand_still(f"{reason}. Put it right, then switch off and on")
        self._state.write(STARTING)
        try:
            plans = read_plans(str(self._files.machine), str(self._files.bins), warn=self._say)
        except ConfigError as error:
            found = [str(finding) for finding in self._config_errors()] or [str(error)]
            reason = "the configuration has errors: put them right and save, then it starts by itself"
            return self._stand_still(reason, found, stamps)
        except BundleError as error:
            return self._stand_still(str(error), stamps=stamps)
        self._manager.tell(STILL_STARTING)
        try:
            return self._sort(plans)
        except ConfigError as error:  # What only the devices could tell: trying again changes nothing.
            self._crashes.clear()
            return self._stand_still(str(error), [str(error)], stamps)

    def _config_errors(self) -> Sequence[object]:
        try:
            return errors(check(self._files.machine, self._files.bins))
        except BrickgateError:
            return ()

    def _sort(self, plans: Plans) -> int:
        self._crashes.begin()
        sorting = Sorting(self._state)
        report = RunReport(reason="an unforeseen error", fault=True)
        try:
            with open_journal(plans.config.journal, self._files.journal, self._say) as journal:
                report = self._drive(plans, journal, self._say, self._stop, started=sorting.begin)
        except ConfigError:
            report.fault = False
            raise
        except BrickgateError as error:
            report.reason = str(error)
        finally:
            sorting.end()
            if report.fault:
                self._crashes.failed(report.reason)
                self._state.write(STOPPED, f"{report.reason}; it will be tried again")
        self._say(f"{report.frames} frames, {report.parts} parts")
        if gates := report.gates_in_words():
            self._say(gates)
        if report.fault:
            self._say(f"error: {report.reason}")
            return FAULT
        self._crashes.clear()
        self._state.write(STOPPED, ENDS_AS_ASKED if self._stop.signal else report.reason)
        return 0

    def _stand_still(
        self, reason: str, config_errors: Sequence[str] = (), stamps: tuple[object, ...] | None = None
    ) -> int:
        """Safe mode. With `stamps` it ends once the files of the configuration have others."""
        self._state.write(SAFE_MODE, reason, config_errors=config_errors)
        for line in (f"safe mode: {reason}", *config_errors):
            self._say(line)
        self._manager.tell(READY, f"STATUS=safe mode: {reason}")
        while self._stop.signal is None:
            self._manager.tell(ALIVE)
            self._clock.sleep_until(self._clock.now_s() + LOOK_EVERY_S)
            if stamps is not None and self._files.stamps() != stamps:
                self._say("the configuration was changed: starting again")
                self._manager.tell(STOPPING)
                return CHANGED
        self._manager.tell(STOPPING)
        # Whoever stops it has seen the reason: the next start is tried anew.
        self._crashes.clear()
        self._state.write(STOPPED, ENDS_AS_ASKED)
        return 0


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
