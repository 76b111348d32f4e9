"""How long Debian itself takes from power-on to its login, on the same emulated machine as tests/image/qemu.py.

    sudo python tests/image/debian_boot.py IMAGE.img ROOT.tar WORK

The root of the image's own packages, as Debian's packages start them, on ext4 in the image's first slot: the same
firmware, boot loader, kernel and (short) initramfs, and nothing of Brickgate. Prints what the guest's clock said at the
login prompt, in seconds since power-on.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

from broken_update import add_init
from qemu import BEGUN_S, BOOT_OFFSET, Guest

SLOT_OFFSET, SLOT_MIB = BOOT_OFFSET + (256 << 20), 768
INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "$module" 2>/dev/null; done </modules
until [ -b /dev/vda2 ]; do sleep 0.1; done
mount -t ext4 /dev/vda2 /root
for folder in proc sys dev; do mount --move /$folder /root/$folder; done
exec switch_root /root /usr/lib/systemd/systemd
"""
PROMPT = re.compile(r"POWER-ON (\d+:\d+:\d+)")


def make_root(root_tar: Path, image: Path, work: Path, card: Path) -> None:
    """Puts Debian's root on the card."""
    root = work / "debian-root"
    subprocess.run(["rm", "-rf", root], check=True)
    root.mkdir()
    subprocess.run(["tar", "-xpf", root_tar, "-C", root, "--exclude=./dev/*"], check=True)
    for deb in root.glob("unpack/linux-image-*.deb"):
        unpacked = work / "debian-kernel"
        subprocess.run(["dpkg-deb", "-x", deb, unpacked], check=True)
        modules = next(unpacked.glob("**/lib/modules"))
        subprocess.run(["cp", "-a", modules, root / "usr/lib/"], check=True)
        for folder in (root / "usr/lib/modules").iterdir():
            subprocess.run(["/usr/sbin/depmod", "-b", root, folder.name], check=True)
        subprocess.run(["rm", "-rf", root / "unpack", unpacked], check=True)
    (root / "etc/issue").write_text("POWER-ON \\t\n")  # agetty(8): the time
    (root / "etc/fstab").write_text("/dev/vda2 / ext4 defaults 0 1\n")
    filesystem = work / "debian.ext4"
    filesystem.unlink(missing_ok=True)
    subprocess.run(["truncate", "-s", f"{SLOT_MIB}M", filesystem], check=True)
    subprocess.run(["/usr/sbin/mke2fs", "-q", "-t", "ext4", "-d", root, filesystem], check=True)
    subprocess.run(
        ["dd", f"if={filesystem}", f"of={card}", "bs=1M", f"seek={SLOT_OFFSET >> 20}", "conv=notrunc,sparse"],
        check=True,
    )  # fmt: skip


def main(image: str, root_tar: str, work: str) -> None:
    """Measures."""
    folder = Path(work)
    folder.mkdir(parents=True, exist_ok=True)
    guest = Guest(Path(image), folder, "debian", 8880)
    make_root(Path(root_tar), Path(image), folder, guest.card)
    initrd = folder / "initrd.img"
    where = ["-i", f"{guest.card}@@{BOOT_OFFSET}"]
    subprocess.run(["mcopy", "-n", "-o", *where, "::slot-a/initrd.img", initrd], check=True)
    initrd.write_bytes(add_init(initrd.read_bytes(), INIT))
    subprocess.run(["mcopy", "-o", *where, initrd, "::slot-a/initrd.img"], check=True)
    begun = guest.power_on()
    try:
        while (found := PROMPT.search(guest.log.read_text(errors="replace"))) is None:
            if time.monotonic() - begun > 3600:
                raise TimeoutError(f"no login: see {guest.log}")
            time.sleep(2)
    finally:
        guest.cut_power()
    hours, minutes, seconds = map(int, found[1].split(":"))
    at_power_on = BEGUN_S % 86400
    print(json.dumps({"login_guest_s": hours * 3600 + minutes * 60 + seconds - at_power_on,
                      "host_s": round(time.monotonic() - begun)}))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
