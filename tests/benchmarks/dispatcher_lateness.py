"""How late the dispatcher acts, in real time, while every core is kept busy.

Plans for parts at a steady rate go to a dispatcher in its own thread, over gates with a thread each, as `brickgate run`
has them; processes that only reckon keep the cores busy meanwhile, and one thread of this process reckons as the
control loop does. Each gate notes when its driver was really called.

    python tests/benchmarks/dispatcher_lateness.py --commands 10000
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import threading
import time
from dataclasses import dataclass, field

import numpy as np

from edge.clock import MonotonicClock
from edge.hardware.constant_encoder import ConstantEncoder
from edge.priority import GatePriority, quick_hand_over
from edge.records import CommandStatus, GateCommand, GateReport, Plan
from edge.scheduling.belt import BeltCoordinate
from edge.scheduling.dispatcher import Dispatcher
from edge.scheduling.gate_worker import GateWorker
from edge.scheduling.lane import DispatcherSettings
from edge.scheduling.topology import GateSettings

BELT_MM_PER_S = 150.0
AHEAD_MM = 300.0
EVERY_GATE_S = 0.6
"""A gate serves a part so often: longer than its movement and the part's way through it."""
PART_MM = 20.0


@dataclass
class TimedGate:
    """A gate that notes when its driver was called."""

    name: str
    positions: tuple[str, ...] = ("left", "pass", "right")
    rest: str = "pass"
    calls_s: list[tuple[float, str]] = field(default_factory=list)

    def move_to(self, position: str) -> None:
        self.calls_s.append((time.monotonic(), position))

    def close(self) -> None:
        self.move_to(self.rest)


def main() -> int:
    options = _options()
    others = [multiprocessing.Process(target=_reckon, args=(options.nice,), daemon=True) for _ in range(options.busy)]
    for process in others:
        process.start()
    try:
        with quick_hand_over():
            report = measure(options)
    finally:
        for process in others:
            process.terminate()
    print(json.dumps(report, indent=2))
    return 0 if report["acted_on_late"] == 0 and report["delay_ms"]["p99"] <= 5.0 else 1


def measure(options: argparse.Namespace) -> dict[str, object]:
    """One run; times in milliseconds."""
    clock, priority = MonotonicClock(), GatePriority(options.fifo)
    settings = [
        GateSettings(f"g{i + 1}", 400.0 + 120.0 * i, TimedGate.positions, "pass", 0.02, 0.15)
        for i in range(options.gates)
    ]
    drivers = [TimedGate(own.name) for own in settings]
    workers = [GateWorker(driver, clock, priority.raise_own) for driver in drivers]
    encoder = ConstantEncoder(BELT_MM_PER_S, clock.now_s)
    encoder.start()
    failures: list[str] = []
    dispatcher = Dispatcher(
        list(zip(workers, settings, strict=True)),
        BeltCoordinate(encoder, BELT_MM_PER_S),
        DispatcherSettings(),
        failures.append,
    )
    reports: list[GateReport] = []
    stop = threading.Event()

    def dispatch() -> None:
        priority.raise_own()
        dispatcher.run_forever(clock, stop, reports.append)

    threads = [threading.Thread(target=dispatch), threading.Thread(target=_control_loop, args=(stop,))]
    for thread in threads:
        thread.start()
    _submit(options, dispatcher, settings, encoder, clock)
    clock.sleep_until(clock.now_s() + 2 * AHEAD_MM / BELT_MM_PER_S)
    stop.set()
    for thread in threads:
        thread.join()
    return _report(options, reports, drivers, priority, failures, settings[0].move_s)


def _submit(
    options: argparse.Namespace,
    dispatcher: Dispatcher,
    settings: list[GateSettings],
    encoder: ConstantEncoder,
    clock: MonotonicClock,
) -> None:
    """Hands over one plan of one command after the other, at the wanted rate, turning from gate to gate."""
    start_s = clock.now_s()
    busy_to_mm = dict.fromkeys((own.name for own in settings), 0.0)
    for number in range(options.commands):
        clock.sleep_until(start_s + number / options.per_s)
        own = settings[number % len(settings)]
        # Left and right in turn, so that each command is a movement.
        position = "left" if number // len(settings) % 2 == 0 else "right"
        from_mm = max(encoder.belt_mm() + AHEAD_MM, busy_to_mm[own.name] + EVERY_GATE_S * BELT_MM_PER_S)
        busy_to_mm[own.name] = from_mm + PART_MM
        command = GateCommand(number + 1, own.name, position, from_mm, from_mm + PART_MM)
        dispatcher.submit(Plan(number + 1, "bin", False, (command,)))


def _report(
    options: argparse.Namespace,
    reports: list[GateReport],
    drivers: list[TimedGate],
    priority: GatePriority,
    failures: list[str],
    move_s: float,
) -> dict[str, object]:
    done = [report for report in reports if report.status is CommandStatus.DONE]
    calls = {driver.name: driver.calls_s for driver in drivers}
    delays_s, late = [report.delay_s for report in reports if report.status is not CommandStatus.DONE], 0
    for report in done:
        # The driver was called a moment after the dispatcher decided; `lateness_s` is that decision's.
        position = report.command.position
        after = (at_s for at_s, to in calls[report.command.gate] if at_s >= report.time_s and to == position)
        after_s = next(after, report.time_s) - report.time_s
        if after_s > EVERY_GATE_S:
            after_s = 0.0  # The gate stood there already.
        delays_s.append(report.delay_s + after_s)
        late += report.lateness_s + after_s > 0
    p50, p99, most = np.percentile(1000 * np.array(delays_s or [np.inf]), [50, 99, 100])
    return {
        "commands": len(reports),
        "acted_on": len(done),
        "dropped_as_late": sum(report.status is CommandStatus.LATE for report in reports),
        "acted_on_late": int(late),
        "failures": failures,
        "delay_ms": {"p50": round(p50, 3), "p99": round(p99, 3), "max": round(most, 3)},
        "headroom_ms": round(1000 * DispatcherSettings().headroom * move_s, 1),
        "priority": priority.granted,
        "busy_processes": options.busy,
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
    }


def _control_loop(stop: threading.Event) -> None:
    """Reckons and waits as vision does: a frame's work 12 times a second, half of it holding the interpreter."""
    picture = np.random.default_rng(1).integers(0, 255, (600, 1280, 3), np.uint8)
    while not stop.is_set():
        np.sqrt(picture.astype(np.float32)).mean()
        sum(i * i for i in range(100_000))
        stop.wait(0.05)


def _reckon(nice: int) -> None:
    os.nice(nice)
    while True:
        sum(i * i for i in range(1_000_000))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=10_000)
    parser.add_argument(
        "--per-s", type=float, default=12.0, help="commands a second; 9 gates at 120 parts/min: about 12"
    )
    parser.add_argument("--gates", type=int, default=9)
    parser.add_argument("--busy", type=int, default=1, help="processes that keep a core busy each")
    parser.add_argument("--nice", type=int, default=0, help="of those processes")
    parser.add_argument("--fifo", type=int, default=40, help="real-time priority asked for; 0: none")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
