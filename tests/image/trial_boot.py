"""What systemd-boot really does with a slot on trial: `slot`'s files on an emulated machine, with its real boot loader.

    python tests/image/trial_boot.py IMAGE.img WORK

The systems themselves are left out: each slot's kernel starts, says which slot it is, and ends. Prints which slot each
power-on started; the exit code is 0 when a trial is started once, is gone at the next start, and stays once settled.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from broken_update import add_init
from qemu import BOOT_OFFSET, Guest

from edge.system.image.boot_choice import EfiBoot

INIT = """#!/bin/sh
mount -t proc proc /proc
read -r words </proc/cmdline
echo "STARTED ${words##*brickgate.slot=}"
while :; do sleep 60; done
"""
STARTED = re.compile(r"STARTED ([ab])")


class Card:
    """The boot partition of a guest, taken out and put back as a PC would."""

    def __init__(self, guest: Guest, folder: Path) -> None:
        self._guest, self.folder = guest, folder
        self._where = ["-i", f"{guest.card}@@{BOOT_OFFSET}"]

    def take(self) -> EfiBoot:
        """Its boot entries, as they are now."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        subprocess.run(["mcopy", "-s", *self._where, "::loader", self.folder], check=True)
        return EfiBoot(self.folder)

    def put(self) -> None:
        """Puts the entries back, and nothing beside them."""
        subprocess.run(["mdeltree", *self._where, "::loader"], check=True)
        subprocess.run(["mcopy", "-s", *self._where, self.folder / "loader", "::"], check=True)

    def fill_slots(self) -> None:
        """Both slots get the kernel, and an initramfs that only says where it is."""
        slot = self.folder.with_name("slot-a")
        shutil.rmtree(slot, ignore_errors=True)
        subprocess.run(["mcopy", "-s", *self._where, "::slot-a", slot], check=True)
        (slot / "initrd.img").write_bytes(add_init((slot / "initrd.img").read_bytes(), INIT))
        for name in ("a", "b"):
            for file in ("vmlinuz", "initrd.img"):
                subprocess.run(["mcopy", "-o", *self._where, slot / file, f"::slot-{name}/{file}"], check=True)

    def started(self, within_s: float = 1800) -> str:
        """Which slot a power-on starts; the power is then cut."""
        self._guest.log.unlink(missing_ok=True)
        begun = time.monotonic()
        self._guest.power_on()
        try:
            while (found := STARTED.search(self._guest.log.read_text(errors="replace"))) is None:
                if time.monotonic() - begun > within_s:
                    raise TimeoutError(f"nothing started: see {self._guest.log}")
                time.sleep(1)
        finally:
            self._guest.cut_power()
        return found[1]


def main(image: str, work: str) -> int:
    """Tries it; prints each start as it comes."""
    folder = Path(work)
    folder.mkdir(parents=True, exist_ok=True)
    card = Card(Guest(Path(image), folder, "trial", 8890), folder / "boot")
    card.fill_slots()
    right = True

    def expect(slot: str, when: str) -> None:
        nonlocal right
        found = card.started()
        right &= found == slot
        print(json.dumps({"when": when, "started": found, "expected": slot}), flush=True)

    card.take().prepare_trial("b")
    card.put()
    expect("b", "b is on trial")
    expect("a", "the trial was not settled")
    card.take().prepare_trial("b")
    card.put()
    expect("b", "b is on trial again")
    card.take().make_default("b")
    card.put()
    expect("b", "b was settled")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
