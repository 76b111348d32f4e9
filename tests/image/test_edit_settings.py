"""`edit-settings` on a card: what passes check-config is saved, what does not is left as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SYSTEM = Path(__file__).parents[2] / "edge/system"
SCRIPT = SYSTEM / "image/layer/usr/sbin/edit-settings"
MOUNT = """case $2 in remount,rw | remount,ro) printf '%s' "${2#remount,}" >"$CARD.mounted" ;; *) exit 1 ;; esac"""


class Card:
    """The boot partition with the shipped settings, and whoever edits them: `sed` by a script."""

    def __init__(self, folder: Path) -> None:
        self.boot, self.programs = folder / "boot", folder / "bin"
        self.boot.mkdir()
        self.programs.mkdir()
        (self.boot / "machine.yaml").write_text(
            (SYSTEM / "etc/machine.yaml").read_text().replace("driver: auto", "driver: cpu")
        )
        (self.boot / "bins.yaml").write_text((SYSTEM / "etc/bins.yaml").read_text())
        self._program("brickgate", f'exec "{sys.executable}" -m edge.start "$@"')
        self._program("mount", MOUNT)
        self._script = self._program("edit-settings", SCRIPT.read_text().replace("/boot/brickgate", str(self.boot)))

    def _program(self, name: str, text: str) -> Path:
        file = self.programs / name
        file.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
        return file

    def edit(self, name: str, change: str, answer: str = "n\n") -> subprocess.CompletedProcess[str]:
        """Edits a file with one command of sed."""
        path = f"{self.programs}:{os.environ['PATH']}"
        words = {"PATH": path, "EDITOR": "editor", "CARD": str(self.boot), "TMPDIR": str(self.programs)}
        self._program("editor", f'sed -i "{change}" "$1"')
        return subprocess.run(
            [self._script, name],
            check=False,
            capture_output=True,
            text=True,
            input=answer,
            env={**os.environ, **words, "PYTHONPATH": str(SYSTEM.parents[1])},
        )

    @property
    def mounted(self) -> str | None:
        file = Path(f"{self.boot}.mounted")
        return file.read_text() if file.exists() else None


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path)


def test_a_file_that_names_a_list_beside_it_can_be_saved(card: Card) -> None:
    (card.boot / "wanted.txt").write_text("3001\n")
    (card.boot / "bins.yaml").write_text(
        (card.boot / "bins.yaml").read_text().replace("{category: Technic}", "{list: wanted.txt}")
    )
    result = card.edit("bins.yaml", "s/technic/listed/")
    assert (result.returncode, result.stderr) == (0, "")
    assert "name: listed" in (card.boot / "bins.yaml").read_text()
    assert (card.boot / "wanted.txt").read_text() == "3001\n"
    assert {file.name for file in card.boot.iterdir()} == {"machine.yaml", "bins.yaml", "wanted.txt"}
    assert card.mounted == "ro"
    assert {file.name for file in card.programs.iterdir()} == {"brickgate", "editor", "mount", "edit-settings"}


def test_a_mistake_is_told_and_the_file_left_as_it_was(card: Card) -> None:
    before = (card.boot / "machine.yaml").read_text()
    result = card.edit("machine.yaml", "s/px_per_mm/px_per_cm/")
    assert result.returncode == 1
    assert "px_per_cm" in result.stdout
    assert (card.boot / "machine.yaml").read_text() == before
    assert card.mounted is None
