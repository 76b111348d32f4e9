"""Measures the memory of `brickgate run` over thousands of parts, on recorded frames.

A belt of the simulated machine is recorded once and played in a loop until enough parts have passed. While the command
runs as a process of its own, its memory is read from /proc (Linux only).

    python tests/soak/memory_of_run.py --parts 10000
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from belt_recording import MACHINE, Loop, record_loop, repeat, write_machine

from edge.config import example
from edge.errors import BrickgateError
from edge.journal.read import read_journal


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory at one moment: RSS counts shared libraries in full, PSS this process's share of them. `peak_rss_mb` is
    the most there has been, between two readings as well."""

    time_s: float
    rss_mb: float
    peak_rss_mb: float
    pss_mb: float
    recording: bool
    """Whether the first part was in the journal: before that the machine is still starting."""


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one soak. Megabytes are of 2^20 bytes; `base` is the memory once the first part was recorded."""

    parts_expected: int
    parts_recorded: int
    frames_played: int
    frames_processed: int
    frames_dropped: int
    wall_s: float
    cpu_s: float
    base_rss_mb: float
    peak_rss_mb: float
    peak_pss_mb: float
    first_quarter_rss_mb: float
    last_quarter_rss_mb: float
    growth_mb: float
    samples: int
    reasons: dict[str, int]
    exit_code: int
    output: str

    def faults(self, limit_mb: float, flat_mb: float) -> list[str]:
        """What was not as it should be. Parts are counted only where no frame was dropped: a part that jumps in the
        picture may well be taken for two."""
        found = []
        if self.exit_code != 0:
            found.append(f"brickgate run ended with exit code {self.exit_code}")
        if self.peak_rss_mb > limit_mb:
            found.append(f"the peak of {self.peak_rss_mb} MB is above {limit_mb:g} MB")
        if self.growth_mb > flat_mb:
            found.append(f"the memory grew by {self.growth_mb} MB, which is more than {flat_mb:g} MB")
        if self.frames_dropped == 0 and self.parts_recorded != self.parts_expected:
            found.append(f"{self.parts_recorded} parts were recorded, {self.parts_expected} passed")
        return found


def main() -> int:
    options = _options()
    if not Path("/proc/self/smaps_rollup").exists():
        print("error: /proc/PID/smaps_rollup is missing: run this on Linux", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="brickgate-soak-", dir=options.folder) as name:
        try:
            report = soak(options, Path(name))
        except (BrickgateError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    print(json.dumps(asdict(report), indent=2) if options.json else _in_words(report))
    faults = report.faults(options.limit_mb, options.flat_mb)
    for fault in faults:
        print(f"not as it should be: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=10_000, help="parts that pass, at least (default 10000)")
    parser.add_argument("--bundle", default="starter", help="model bundle: a shipped name or a folder")
    parser.add_argument("--frames-per-s", type=float, default=30.0, help="rate at which the recording is played")
    parser.add_argument("--step-mm", type=float, default=20.0, help="belt travel between two frames")
    parser.add_argument("--parts-in-view", type=float, default=4.0, help="how dense the belt is")
    parser.add_argument("--loop-parts", type=int, default=100, help="parts of the recording that is repeated")
    parser.add_argument("--seed", type=int, default=1, help="of the recorded belt and its parts")
    parser.add_argument("--every-s", type=float, default=2.0, help="seconds between two readings of the memory")
    parser.add_argument("--limit-mb", type=float, default=250.0, help="peak RSS above which the exit code is 1")
    parser.add_argument("--flat-mb", type=float, default=5.0, help="growth above which the exit code is 1")
    parser.add_argument("--folder", type=Path, help="where the recording goes for the time being (default: /tmp)")
    parser.add_argument("--log", type=Path, help="writes every reading there, as CSV")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    return parser.parse_args()


def soak(options: argparse.Namespace, folder: Path) -> Report:
    """Records, plays and measures.

    Raises:
        BrickgateError: the recording cannot be made, or the journal not be read.
    """
    loop = record_loop(
        folder / "loop",
        parts=options.loop_parts,
        parts_in_view=options.parts_in_view,
        step_mm=options.step_mm,
        seed=options.seed,
    )
    times = math.ceil(options.parts / loop.parts)
    repeat(loop, folder / "frames", times)
    write_machine(folder / "machine.yaml", loop, folder / "frames", options.frames_per_s, options.bundle)
    journal = folder / "journal.jsonl"
    command = [
        *(sys.executable, "-m", "edge.cli", "run", "--config", str(folder / "machine.yaml")),
        *("--bins", str(example(MACHINE) / "bins.yaml"), "--bundle", options.bundle, "--journal", str(journal)),
    ]
    started_s = time.monotonic()
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        samples, cpu_s = _watch(process, journal, options.every_s)
    wall_s = time.monotonic() - started_s
    if options.log:
        _write_log(options.log, samples)
    text = (folder / "output.txt").read_text(encoding="utf-8", errors="replace").strip()
    return _report(loop, times, samples, text, journal, process.returncode, wall_s, cpu_s)


def _watch(process: subprocess.Popen[bytes], journal: Path, every_s: float) -> tuple[list[Sample], float]:
    """Reads the memory until the process ends; also the CPU time that it had used by the last reading."""
    samples: list[Sample] = []
    cpu_s, started_s = 0.0, time.monotonic()
    while process.poll() is None:
        with suppress(OSError):  # It has not begun yet, or is about to end.
            memory_mb, cpu_s = read_memory(process.pid), _cpu_s(process.pid)
            recording = journal.exists() and journal.stat().st_size > 0
            samples.append(Sample(time.monotonic() - started_s, *memory_mb, recording))
        try:
            process.wait(timeout=every_s)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
    return samples, cpu_s


def read_memory(pid: int) -> tuple[float, float, float]:
    """RSS, its peak so far, and PSS of a process in MiB."""
    process = Path(f"/proc/{pid}")
    text = (process / "status").read_text(encoding="utf-8") + (process / "smaps_rollup").read_text(encoding="ascii")
    kib = dict(re.findall(r"^(VmRSS|VmHWM|Pss):\s+(\d+) kB", text, re.MULTILINE))
    rss_mb, peak_mb, pss_mb = (int(kib.get(name, 0)) / 1024 for name in ("VmRSS", "VmHWM", "Pss"))
    return rss_mb, peak_mb, pss_mb


def _cpu_s(pid: int) -> float:
    # After the closing bracket of the name: state is field 3, utime and stime are 14 and 15, in ticks of 10 ms.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _report(
    loop: Loop, times: int, samples: list[Sample], text: str, journal: Path, code: int, wall_s: float, cpu_s: float
) -> Report:
    steady = [sample.rss_mb for sample in samples if sample.recording] or [sample.rss_mb for sample in samples] or [0.0]
    quarter = max(len(steady) // 4, 1)
    first, last = statistics.median(steady[:quarter]), statistics.median(steady[-quarter:])
    counted = re.search(r"^(\d+) frames(?: \((\d+) dropped\))?", text, re.MULTILINE)
    records = list(read_journal(journal)) if journal.exists() else []
    reasons = [record.reason for record in records]
    return Report(
        parts_expected=loop.parts * times,
        parts_recorded=len(records),
        frames_played=loop.frames * times,
        frames_processed=int(counted[1]) if counted else 0,
        frames_dropped=int(counted[2] or 0) if counted else 0,
        wall_s=round(wall_s, 1),
        cpu_s=round(cpu_s, 1),
        base_rss_mb=round(steady[0], 1),
        peak_rss_mb=round(max((sample.peak_rss_mb for sample in samples), default=0.0), 1),
        peak_pss_mb=round(max((sample.pss_mb for sample in samples), default=0.0), 1),
        first_quarter_rss_mb=round(first, 1),
        last_quarter_rss_mb=round(last, 1),
        growth_mb=round(last - first, 2),
        samples=len(samples),
        reasons={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        exit_code=code,
        output=text,
    )


def _in_words(report: Report) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items())
    return "\n".join(
        (
            report.output,
            f"parts     {report.parts_recorded} recorded of {report.parts_expected} ({reasons})",
            f"frames    {report.frames_processed} processed, {report.frames_dropped} dropped of {report.frames_played}",
            f"time      {report.wall_s} s, of which {report.cpu_s} s on the CPU",
            f"peak RSS  {report.peak_rss_mb} MB, peak PSS {report.peak_pss_mb} MB",
            f"RSS       {report.base_rss_mb} MB at the first part, then {report.first_quarter_rss_mb} MB (median of the"
            f" first quarter) to {report.last_quarter_rss_mb} MB (of the last)",
            f"growth    {report.growth_mb:+.2f} MB in {report.samples} readings",
        )
    )


def _write_log(file: Path, samples: list[Sample]) -> None:
    lines = [f"{s.time_s:.1f},{s.rss_mb:.2f},{s.peak_rss_mb:.2f},{s.pss_mb:.2f},{int(s.recording)}" for s in samples]
    file.write_text("\n".join(("time_s,rss_mb,peak_rss_mb,pss_mb,recording", *lines)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
