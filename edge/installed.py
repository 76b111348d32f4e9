"""Where a machine that is installed as a service keeps what it has."""

from __future__ import annotations

from pathlib import Path

MACHINE = Path("/etc/brickgate/machine.yaml")
JOURNAL = Path("/var/lib/brickgate/brickgate-journal.jsonl")


def journal_of(machine: Path) -> Path | None:
    """The journal that the service writes of this machine.yaml; None where that is not the service's.

    On a card the file in /etc is a link to the drive's: by either name it is the same machine.
    """
    is_service = machine.absolute().parent == MACHINE.parent or machine.resolve() == MACHINE.resolve()
    return JOURNAL if is_service else None
