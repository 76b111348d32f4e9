"""A card for tests: a boot partition and two slots in a folder, and firmware that starts one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.clock import VirtualClock
from edge.system.image.boot_choice import BootChoice, EfiBoot, PiBoot
from edge.system.image.slot import Machine
from edge.system.image.update import write_update

BOOT = Path(__file__).parents[2] / "edge" / "system" / "image" / "boot"
ENTRY = """title Brickgate {0}
sort-key brickgate
version {1}
linux /slot-{0}/vmlinuz
initrd /slot-{0}/initrd.img
options console=tty1 ro brickgate.slot={0}
"""


class PiFirmware:
    """The Pi's boot loader as documented: config.txt, or tryboot.txt once after `reboot "0 tryboot"`."""

    def __init__(self, boot: Path) -> None:
        self.boot = boot
        self.tryboot = False
        (boot / "config.txt").write_bytes((BOOT / "config.txt").read_bytes())

    def choice(self) -> BootChoice:
        return PiBoot(self.boot)

    def reboot(self, command: Sequence[str]) -> None:
        self.tryboot = command[-1] == "--reboot-argument=0 tryboot"

    def start(self) -> str:
        file = self.boot / ("tryboot.txt" if self.tryboot else "config.txt")
        self.tryboot = False
        (found,) = re.findall(r"(?m)^os_prefix=slot-([ab])/$", file.read_text())
        return found


class EfiFirmware:
    """systemd-boot as documented: the entry with the greatest version that has tries left or counts none."""

    def __init__(self, boot: Path) -> None:
        self.entries = boot / "loader" / "entries"
        self.boot = boot
        self.entries.mkdir(parents=True)
        (self.entries / "brickgate-a.conf").write_text(ENTRY.format("a", 1))

    def choice(self) -> BootChoice:
        return EfiBoot(self.boot)

    def reboot(self, command: Sequence[str]) -> None:
        assert list(command) == ["systemctl", "reboot"]

    def start(self) -> str:
        def rank(file: Path) -> tuple[bool, int]:
            (version,) = re.findall(r"(?m)^version (\d+)$", file.read_text())
            return "+0" not in file.name, int(version)

        best = max(self.entries.glob("*.conf"), key=rank)
        if counted := re.fullmatch(r"(.*)\+(\d+)(?:-(\d+))?\.conf", best.name):
            left, done = int(counted[2]), int(counted[3] or 0)
            if left:
                best = best.rename(best.with_name(f"{counted[1]}+{left - 1}-{done + 1}.conf"))
        slots = set(re.findall(r"slot[-=]([ab])\b", best.read_text()))
        assert len(slots) == 1, "an entry starts one slot and names the same"
        return slots.pop()


class Card:
    """The card in its machine. `start` boots it; a new system does what the test says."""

    def __init__(self, folder: Path, firmware: str) -> None:
        self.boot, self.data = folder / "boot", folder / "data"
        self.boot.mkdir()
        self.data.mkdir()
        self.state_file = folder / "state.json"
        self.firmware = PiFirmware(self.boot) if firmware == "pi" else EfiFirmware(self.boot)
        for slot in "ab":
            (folder / slot).write_bytes(b"\0" * 4096)
        self.folder = folder
        (self.boot / "slot-a").mkdir()
        (self.boot / "slot-a" / "version.txt").write_text("1.0\n")
        self.clock = VirtualClock()
        self.writable = False
        self.commands: list[Sequence[str]] = []
        self.page = True
        self.running = self.firmware.start()

    def start(self) -> str:
        self.running = self.firmware.start()
        return self.running

    def state(self, state: str, reason: str = "") -> None:
        self.state_file.write_text(json.dumps({"state": state, "reason": reason}))

    def run(self, command: Sequence[str]) -> None:
        self.commands.append(command)
        self.firmware.reboot(command)

    @contextmanager
    def made_writable(self) -> Any:
        self.writable = True
        yield
        self.writable = False

    def machine(self) -> Machine:
        return Machine(
            self.boot, self.data, self.state_file, self.running, self.firmware.choice(), self.folder.__truediv__,
            self.made_writable, self.run, lambda: self.page, self.clock,
        )  # fmt: skip

    def update(self, version: str = "2.0", root: bytes = b"new system") -> Path:
        work = self.folder / f"update-{version}"
        slot = work / "slot"
        (slot / "overlays").mkdir(parents=True)
        (slot / "vmlinuz").write_bytes(b"kernel " + version.encode())
        (slot / "overlays" / "x.dtbo").write_bytes(b"overlay")
        (slot / "cmdline.txt").write_text("console=tty1 ro brickgate.slot=b\n")
        (work / "root").write_bytes(root)
        file = self.folder / f"{version}.update"
        write_update(file, version, work / "root", slot, 1_764_000_000)
        return file
