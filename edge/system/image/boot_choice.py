"""Which of the two systems starts: one interface over the Raspberry Pi's firmware and over UEFI's systemd-boot.

Both try a new system once and go back by themselves: nothing has to run for the old one to come back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

SLOTS = ("a", "b")


class BootChoice(Protocol):
    """What the boot partition says. Writes are durable when a method returns, and each takes effect as a whole.

    `folder` is the mounted boot partition; it is writable while a method that writes is called.
    """

    def default(self) -> str:
        """The slot that starts when nothing else was asked for."""
        ...

    def prepare_trial(self, slot: str) -> None:
        """The next start, and that one alone, is to be `slot`."""
        ...

    def reboot_command(self) -> Sequence[str]:
        """What starts the trial, once it is prepared."""
        ...

    def make_default(self, slot: str) -> None:
        """`slot` starts from now on."""
        ...


class PiBoot:
    """The Pi's firmware: config.txt names the slot's folder (os_prefix), and `reboot "0 tryboot"` makes it read
    tryboot.txt instead, once.

    Source: https://www.raspberrypi.com/documentation/computers/config_txt.html (os_prefix, tryboot).
    """

    _PREFIX = re.compile(rb"(?m)^os_prefix=slot-([ab])/$")

    def __init__(self, folder: Path) -> None:
        self._config, self._trial = folder / "config.txt", folder / "tryboot.txt"

    def default(self) -> str:
        found = self._PREFIX.search(self._config.read_bytes())
        return found[1].decode() if found else SLOTS[0]

    def prepare_trial(self, slot: str) -> None:
        replace_durably(self._trial, self._PREFIX.sub(f"os_prefix=slot-{slot}/".encode(), self._config.read_bytes()))

    def reboot_command(self) -> Sequence[str]:
        return ("systemctl", "reboot", "--reboot-argument=0 tryboot")

    def make_default(self, slot: str) -> None:
        # One byte in one sector: the card has either the old letter or the new one, however the power goes.
        found = self._PREFIX.search(self._config.read_bytes())
        if found is None:
            raise OSError(f"{self._config} names no slot")
        fd = os.open(self._config, os.O_WRONLY)
        try:
            os.pwrite(fd, slot.encode(), found.start(1))
            os.fsync(fd)
        finally:
            os.close(fd)


class EfiBoot:
    """systemd-boot: of two entries the one with the greater version starts; one named `…+1.conf` has one try, which the
    boot loader takes off before it starts it, and an entry without tries comes last.

    Source: https://systemd.io/AUTOMATIC_BOOT_ASSESSMENT/ and the Boot Loader Specification.
    """

    _ENTRY = re.compile(r"brickgate-([ab])(\+\d+(?:-\d+)?)?\.conf")
    _VERSION = re.compile(r"(?m)^version (\d+)$")

    def __init__(self, folder: Path) -> None:
        self._entries = folder / "loader" / "entries"

    def default(self) -> str:
        settled = [slot for slot, (_, tries) in self._found().items() if not tries]
        return max(settled, key=self._version, default=SLOTS[0])

    def prepare_trial(self, slot: str) -> None:
        self._write(slot, 1 + max(map(self._version, self._found())), "+1")

    def reboot_command(self) -> Sequence[str]:
        return ("systemctl", "reboot")

    def make_default(self, slot: str) -> None:
        file, tries = self._found()[slot]
        newest = max(map(self._version, self._found()))
        if tries:
            file.rename(self._entries / f"brickgate-{slot}.conf")
            sync_folder(self._entries)
        elif self._version(slot) < newest:
            self._write(slot, newest + 1, "")

    def _write(self, slot: str, version: int, tries: str) -> None:
        found = self._found()
        # What one slot's entry says holds for the other but for the letter: both start the same disk.
        other = next(iter(found.values()))[0]
        text = re.sub(r"slot-[ab]/", f"slot-{slot}/", other.read_text(encoding="ascii"))
        text = re.sub(r"brickgate\.slot=[ab]", f"brickgate.slot={slot}", text)
        text = self._VERSION.sub(f"version {version}", re.sub(r"(?m)^(title .*) [ab]$", rf"\1 {slot}", text))
        replace_durably(self._entries / f"brickgate-{slot}{tries}.conf", text.encode())
        if slot in found and found[slot][0].name != f"brickgate-{slot}{tries}.conf":
            found[slot][0].unlink()
            sync_folder(self._entries)

    def _found(self) -> dict[str, tuple[Path, str]]:
        """The entry of each slot: its file, and what it says of tries ("" for one that is settled)."""
        found: dict[str, tuple[Path, str]] = {}
        for file in sorted(self._entries.glob("brickgate-*.conf")):
            if match := self._ENTRY.fullmatch(file.name):
                found[match[1]] = (file, match[2] or "")
        return found

    def _version(self, slot: str) -> int:
        match = self._VERSION.search(self._found()[slot][0].read_text(encoding="ascii"))
        return int(match[1]) if match else 0


def boot_choice(folder: Path, has_efi: Callable[[], bool] = Path("/sys/firmware/efi").exists) -> BootChoice:
    """The one of this machine."""
    return EfiBoot(folder) if has_efi() else PiBoot(folder)


def replace_durably(file: Path, data: bytes) -> None:
    """Writes a file whole, or not at all."""
    new = file.with_name(file.name + ".new")
    with new.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
