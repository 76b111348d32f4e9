"""Where the doctor looks, what it looks for there, and how what is missing gets on a system of this kind."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.config.schema import MachineConfig
from edge.installed import MACHINE


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked for. `advice` says what to do when it is not `ok`; without it nothing need be done."""

    name: str
    ok: bool | None
    """Found; missing; or None: not looked at, because nothing asks for it or it cannot be told here."""
    detail: str
    advice: str = ""
    needed: bool = False
    """Whether no machine sorts without it, or machine.yaml asks for it."""


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class System:
    """Where to look: the real computer, or a folder and functions that stand for one."""

    root: Path = Path("/")
    import_module: Callable[[str], Any] = importlib.import_module
    version: Callable[[str], str | None] = _version
    python: tuple[int, int, int] = field(default_factory=lambda: sys.version_info[:3])
    prefix: Path = field(default_factory=lambda: Path(sys.prefix))
    """Of the environment that this program is installed in."""
    named: Path | None = None
    """The machine.yaml that the user has named."""
    machine: MachineConfig | None = None
    """What it says; None where there is none that can be read."""

    @property
    def config(self) -> Path:
        """The machine.yaml that says what is needed."""
        return self.named or self.root / MACHINE.relative_to("/")

    @property
    def is_card(self) -> bool:
        """Whether this is the flashed card's system, which is read-only: only that has the program `slot`."""
        return (self.root / "usr/sbin/slot").is_file()

    @property
    def is_appliance(self) -> bool:
        """Whether this program was put here by install.sh or is the card's, and not into somebody's own folder."""
        return self.is_card or self.root / "opt/brickgate" in self.prefix.parents

    def to_get(self, otherwise: str) -> str:
        """How what is missing gets here; `otherwise` is for whoever installs by hand."""
        if self.is_card:
            return "the card's system is read-only: take an image that has it (docs/image.md, Building it)"
        return "sudo ./install.sh" if self.is_appliance else otherwise

    def devices(self, pattern: str) -> list[str]:
        """Names under /dev that fit a pattern."""
        return sorted(path.name for path in (self.root / "dev").glob(pattern))

    def read(self, path: Path) -> str:
        """A file of /proc or /sys, or nothing where it cannot be read."""
        try:
            return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
        except OSError:
            return ""

    def trouble_importing(self, module: str) -> str | None:
        """Why a module cannot be imported; None when it can."""
        try:
            self.import_module(module)
        except ModuleNotFoundError:
            return "not installed"
        except Exception as error:  # Vendors' modules raise what they like where their hardware is missing.
            return f"fails: {in_one_line(error)}"
        return None

    def board(self) -> str:
        """The board's model; nothing off a Raspberry Pi."""
        return self.read(self.root / "proc/device-tree/model")


def in_one_line(error: Exception) -> str:
    """What an error says, 120 characters of it."""
    return " ".join(str(error).split())[:120]


def listed(devices: list[str]) -> str:
    """Devices by their paths, for the user."""
    return ", ".join(f"/dev/{name}" for name in devices) or "no device"
