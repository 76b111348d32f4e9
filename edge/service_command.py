"""`brickgate service`, from its words: says that it starts before it reads what takes long to read."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edge.entry import tell
from edge.installed import JOURNAL, MACHINE
from edge.service_manager import STATE_FILE, STILL_STARTING, ServiceManager
from edge.service_state import STARTING, StateFile


def main(words: Sequence[str]) -> int:
    """Runs the service. Returns the exit code."""
    options = _parse(words)
    manager = ServiceManager()
    manager.tell(STILL_STARTING, "STATUS=starting")
    StateFile(options.folder).write(STARTING)
    from edge.clock import MonotonicClock
    from edge.service import Service, ServiceFiles
    from edge.signals import noted

    manager.tell(STILL_STARTING)
    bins = options.bins or options.config.with_name("bins.yaml")
    files = ServiceFiles(options.config, bins, options.journal, options.folder)
    with noted() as stop:
        return Service(files, tell, stop, MonotonicClock(), manager).run()


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "brickgate service", description="What systemd runs: `run`, and safe mode where that cannot be."
    )
    parser.add_argument("--config", type=Path, default=MACHINE, help=f"default: {MACHINE}")
    parser.add_argument("--bins", type=Path, help="default: the bins.yaml beside the machine.yaml")
    parser.add_argument("--journal", type=Path, default=JOURNAL, help=f"default: {JOURNAL}")
    parser.add_argument("--folder", type=Path, default=STATE_FILE.parent, help="where state.json is written")
    return parser.parse_args(words)
