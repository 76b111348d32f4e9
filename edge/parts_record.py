"""From what the pipeline knows of a part to its line in the journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from edge.bundle.manifest import BundlePart
from edge.catalogue.colours import Colour
from edge.config.schema import JournalConfig
from edge.journal.file import Disk
from edge.journal.journal import Journal
from edge.journal.pictures import RingSize
from edge.part_state import PartState
from edge.records import DecisionReason, PartRecord, Scores

TOP = 5
COLOURS = 3


def open_journal(
    config: JournalConfig,
    file: Path | None,
    warn: Callable[[str], None],
    *,
    threaded: bool = True,
    disk: Disk | None = None,
) -> Journal:
    """The machine's journal, as large as configured.

    Args:
        file: instead of the configured one.
        warn: told one line when something is wrong with it, from any thread.
        threaded: False for virtual time.
        disk: the system calls.

    Raises:
        JournalError: it cannot be opened or written, or another process writes to it.
    """
    size = RingSize(config.max_pictures, int(config.max_pictures_mb * 1e6))
    return Journal.open(file or Path(config.file), config.max_mb, warn, threaded=threaded, disk=disk, pictures=size)


def part_record(
    part: PartState,
    parts: Sequence[BundlePart],
    colours: Sequence[Colour],
    time_s: float,
    comes_back_from: str | None = None,
) -> PartRecord:
    """The record of a decided part; its number is the part's own, or −1 for a new one.

    Args:
        time_s: of the decision, in seconds since 1970.
        comes_back_from: the bin whose parts go back to the feeder.
    """
    assert part.decision is not None
    assert part.plan is not None
    assert part.verdict is not None
    decision, plan, track, verdict = part.decision, part.plan, part.track, part.verdict
    reason = DecisionReason.REFUSED if plan.refused else decision.reason
    return PartRecord(
        part_id=-1 if part.part_id is None else part.part_id,
        time_s=round(time_s, 3),
        frame_first=track.first_frame,
        frame_last=track.last_frame,
        looks=verdict.looks,
        top=best(verdict.part_posterior, [entry.number for entry in parts], TOP),
        colour=best(verdict.colour_posterior, [colour.name for colour in colours], COLOURS),
        bin_wanted=decision.bin,
        bin=plan.bin,
        reason=str(reason),
        detail=plan.why or decision.detail,
        probability=round(decision.probability, 4),
        gates=tuple(f"{command.gate}={command.position}" for command in plan.commands),
        decision_latency_s=round(part.decision_latency_s, 4),
        lateness_s=round(part.lateness_s, 4),
        length_mm=round(track.length_mm, 1),
        width_mm=round(track.width_mm, 1),
        gate_reports=tuple(
            (gate, report.held, str(report.status), round(report.lateness_s, 4))
            for gate, report in part.reports.items()
        ),
        confirmation=part.confirmation,
        seen_in=part.seen_in,
        again=part.went_back or plan.bin == comes_back_from,
    )


def best(posterior: Scores, names: Sequence[str], count: int) -> tuple[tuple[str, float], ...]:
    """The likeliest names with their posterior, best first; empty for an empty posterior."""
    order = np.argsort(-posterior, kind="stable")[:count]
    return tuple((str(names[int(k)]), round(float(posterior[k]), 4)) for k in order)
