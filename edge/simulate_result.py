"""What a simulation came to, in figures and as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from edge.config.bins import BinsConfig
from edge.sim.score import Fate, Score


@dataclass(frozen=True, slots=True)
class SimulateResult:
    """What a simulation came to."""

    score: Score
    looks: int
    frames: int
    latencies_s: list[float]
    late_commands: int
    virtual_s: float
    wall_s: float
    stopped: str | None
    confirmed: dict[str, int]
    """What the sensors found of the parts, by its name; empty without sensors."""
    sensors: str | None
    """The same in words, and what broke."""
    faults: tuple[tuple[float, str], ...] = ()
    """(virtual second, what was broken or repaired), as it was ordered."""
    unrecorded: int = 0
    """Parts that the journal could not save."""

    def to_json(self) -> dict[str, Any]:
        """The figures of the run, in plain values."""
        s = self.score
        latency = np.percentile(self.latencies_s, [50, 99]) if self.latencies_s else (0.0, 0.0)
        return {
            "parts_fed": s.parts_fed,
            "again": s.again,
            **{str(fate): s.fates[fate] for fate in Fate},
            "purity": round(s.purity, 5),
            "recovery": round(s.recovery, 5),
            "ppm": round(60 * s.parts_fed / self.virtual_s, 2) if self.virtual_s else 0.0,
            "part_top1": round(s.part_top1, 5),
            "bin_accuracy": round(s.bin_accuracy, 5),
            "looks_per_part": round(self.looks / s.parts_fed, 3) if s.parts_fed else 0.0,
            "frames": self.frames,
            "decision_latency_s": {"p50": round(float(latency[0]), 5), "p99": round(float(latency[1]), 5)},
            "late_commands": self.late_commands,
            "confirmed": self.confirmed,
            "virtual_s": round(self.virtual_s, 3),
            "wall_s": round(self.wall_s, 3),
            "stopped": self.stopped,
            "faults": [[round(time_s, 3), what] for time_s, what in self.faults],
            "bins": {
                name: {"right": tally.right, "wrong": tally.wrong, "belong": tally.wanted}
                for name, tally in s.bins.items()
            },
        }


def print_result(result: SimulateResult, bins: BinsConfig, console: Console) -> None:
    """The bins at a glance, then the sum of the run."""
    s = result.score
    named = [name for name in s.bins if name in bins.names]
    table = Table(title=f"{s.parts_fed} parts in {len(named)} bins", title_justify="left")
    for heading, right in (("bin", False), ("parts", True), ("wrong", True), ("of those that belong there", False)):
        table.add_column(heading, justify="right" if right else "left")
    for name in named:
        tally = s.bins[name]
        share = tally.right / tally.wanted if tally.wanted else 1.0
        bar = "█" * round(24 * share) if tally.wanted else ""
        wrong = f"[bold red]{tally.wrong}[/]" if tally.wrong else "·"
        table.add_row(name, str(tally.right + tally.wrong), wrong, f"[green]{bar:<24}[/] {tally.right}/{tally.wanted}")
    table.add_section()
    doubts = s.fates[Fate.UNSURE] + s.fates[Fate.REFUSED]
    end = bins.leftover_bin or f"{bins.default_bin} (belt's end)"
    unwanted = sum(s.bins[name].right for name in s.bins if name not in named)
    table.add_row(end, str(unwanted + doubts), "·", f"{doubts} not sorted")
    console.print(table)
    console.print(
        f"[bold]right {s.fates[Fate.RIGHT]}[/]  wrong {s.fates[Fate.WRONG]}  unsure {s.fates[Fate.UNSURE]}"
        f"  refused {s.fates[Fate.REFUSED]}  lost {s.fates[Fate.LOST]}"
    )
    if s.again:
        console.print(f"{s.again} times a part went back to the feeder and came again")
    rate = 60 * s.parts_fed / result.virtual_s if result.virtual_s else 0.0
    speed = result.virtual_s / result.wall_s if result.wall_s else 0.0
    console.print(
        f"purity {s.purity:.2%}  recovery {s.recovery:.2%}  {rate:.0f} parts/min"
        f"  {result.looks / max(s.parts_fed, 1):.1f} looks a part  {speed:.1f}× real time"
    )
    if result.late_commands:
        console.print(f"{result.late_commands} commands came late and were dropped")
    if result.sensors:
        console.print(result.sensors)
    if result.stopped:
        console.print(f"[bold red]the machine stopped itself:[/] {result.stopped}")
