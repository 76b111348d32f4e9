"""The GPIO drivers on QEMU's Raspberry Pi 3: they switch pins of the emulated BCM2837, read back through the monitor.

    python tests/image/raspi3b.py IMAGE.img python3-rpi.gpio_….deb WORK

The image's own kernel, system and Brickgate from an emulated SD card, Debian's RPi.GPIO (arm64), and the device tree of
the Pi 3 with the board's revision in it, which a Pi's firmware writes there. `raspi3b_pins.py` runs on the emulated
machine and waits after each step; here the registers are read meanwhile. Needs qemu-system-arm, mtools and
device-tree-compiler. Prints one JSON line a step; the exit code is 0 when all pins are as they should be.
"""

from __future__ import annotations

import json
import re
import socket
import stat
import subprocess
import sys
import tarfile
import time
from io import BytesIO
from pathlib import Path

from broken_update import add_init
from qemu import BOOT_OFFSET

from edge.system.image.initramfs import Entry, write_cpio

GPFSEL0, GPLEV0 = 0x3F200000, 0x3F200034
"""BCM2835 ARM Peripherals, 6.1, where the Pi 3 has them: three bits of function a pin (1: output), one of level."""
REVISION = "0xa02082"
"""A Pi 3 B."""
INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "$module" 2>/dev/null; done </modules
tries=0
until [ -b /dev/mmcblk0p2 ]; do
  tries=$((tries + 1))
  [ $tries -gt 300 ] && echo "NO CARD" && dmesg && ls /dev
  sleep 0.5
done
mount -t squashfs -o ro /dev/mmcblk0p2 /root
mount -t tmpfs tmp /root/tmp
cp -r /pins/* /root/tmp/
for folder in proc sys dev; do mount --move /$folder /root/$folder; done
exec chroot /root /usr/bin/python3 /tmp/raspi3b_pins.py
"""
STEP = re.compile(r"STEP (\{.*\})\r?\n")


def files(deb: Path) -> list[Entry]:
    """What is laid into the initramfs: RPi.GPIO and the script."""
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], check=True, capture_output=True).stdout
    found = [Entry("pins", stat.S_IFDIR | 0o755)]
    with tarfile.open(fileobj=BytesIO(data)) as tar:
        for member in tar:
            inside = member.name.partition("dist-packages/")[2]
            if not inside.startswith("RPi") or ".egg-info" in inside:
                continue
            if member.isdir():
                found.append(Entry(f"pins/{inside}", stat.S_IFDIR | 0o755))
            elif (stream := tar.extractfile(member)) is not None:
                found.append(Entry(f"pins/{inside}", stat.S_IFREG | 0o644, stream.read()))
    script = Path(__file__).with_name("raspi3b_pins.py").read_bytes()
    return [*found, Entry("pins/raspi3b_pins.py", stat.S_IFREG | 0o644, script)]


class Pi:
    """The emulated board."""

    def __init__(self, image: Path, deb: Path, work: Path) -> None:
        self.card, self.monitor, self.log = work / "pi.img", work / "monitor", work / "pi.log"
        subprocess.run(["cp", "--sparse=always", image, self.card], check=True)
        subprocess.run(["truncate", "-s", "2G", self.card], check=True)  # QEMU's cards have a power of two.
        boot = {name: work / name for name in ("vmlinuz", "initrd.img", "bcm2837-rpi-3-b.dtb")}
        for name, file in boot.items():
            where = ["-i", f"{self.card}@@{BOOT_OFFSET}", f"::slot-a/{name}", str(file)]
            subprocess.run(["mcopy", "-n", "-o", *where], check=True)
        kernel, initrd, tree = boot.values()
        packed = add_init(initrd.read_bytes(), INIT)
        initrd.write_bytes(packed + bytes(-len(packed) % 4) + write_cpio(files(deb)))
        subprocess.run(["fdtput", "-p", "-t", "x", tree, "/system", "linux,revision", REVISION], check=True)
        self.monitor.unlink(missing_ok=True)
        self._log = self.log.open("wb")
        self.process = subprocess.Popen(
            [
                "qemu-system-aarch64", "-M", "raspi3b", "-display", "none", "-kernel", kernel, "-initrd", initrd,
                "-dtb", tree, "-drive", f"if=sd,format=raw,file={self.card}", "-serial", "null", "-serial", "stdio",
                "-monitor", f"unix:{self.monitor},server=on,wait=off",
                # RPi.GPIO maps the registers itself, through /dev/mem: Debian's kernel has no /dev/gpiomem.
                "-append", "console=ttyS1,115200 iomem=relaxed panic=10 loglevel=4",
            ],
            stdin=subprocess.PIPE, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def read_words(self, address: int, words: int) -> list[int]:
        """Registers, asked of QEMU's monitor."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(self.monitor))
            link.settimeout(10)
            said = b""
            while not said.endswith(b"(qemu) "):
                said += link.recv(4096)
            link.sendall(f"xp /{words}wx 0x{address:x}\n".encode())
            said = b""
            while not said.endswith(b"(qemu) "):
                said += link.recv(4096)
        lines = re.findall(r"^[0-9a-f]{16}:(.*?)\r?$", said.decode(), re.M)
        return [int(word, 16) for line in lines for word in line.split()]

    def pin(self, number: int) -> tuple[bool, bool]:
        """Whether it is an output, and whether it is high."""
        function = self.read_words(GPFSEL0, 6)[number // 10] >> 3 * (number % 10) & 7
        return function == 1, bool(self.read_words(GPLEV0, 2)[number // 32] >> number % 32 & 1)

    def next_step(self, after: int, within_s: float = 900) -> tuple[int, dict[str, object]]:
        """What the script says next, and where in the log that ends."""
        until = time.monotonic() + within_s
        while time.monotonic() < until and self.process.poll() is None:
            text = self.log.read_text(errors="replace")
            if "Traceback" in text[after:] or "Kernel panic" in text:
                break
            if found := STEP.search(text, after):
                return found.end(), json.loads(found[1])
            time.sleep(0.2)
        raise SystemExit(f"no step follows: see {self.log}")

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()


def matches(pi: Pi, number: int, expected: str) -> tuple[bool, str]:
    """Whether a pin is as the script says it should be: "high", "low", "input", or "pulses": both, in turn."""
    if expected == "pulses":
        levels = [pi.pin(number) for _ in range(300)]
        high = sum(level for _, level in levels)
        return all(output for output, _ in levels) and 0 < high < 150, f"high in {high} of 300 looks"
    output, level = pi.pin(number)
    found = ("high" if level else "low") if output else "input"
    return found == expected, found


def main(image: str, deb: str, work: str) -> int:
    folder = Path(work)
    folder.mkdir(parents=True, exist_ok=True)
    pi, at, failed = Pi(Path(image), Path(deb), folder), 0, 0
    try:
        while True:
            at, step = pi.next_step(at)
            pins = step.get("pins")
            if not isinstance(pins, dict):
                break
            found = {pin: matches(pi, int(pin), str(expected)) for pin, expected in pins.items()}
            good = all(ok for ok, _ in found.values())
            failed += not good
            print(json.dumps({**step, "read": {pin: text for pin, (_, text) in found.items()}, "ok": good}), flush=True)
            pi.go_on()
    finally:
        pi.process.kill()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
