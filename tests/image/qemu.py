"""Boots the SD-card image on an emulated arm64 machine and shows that it does what docs/image.md says. Takes hours.

    python tests/image/qemu.py build/image/brickgate-0.1.0-debian.img --update build/image/brickgate-0.1.0-debian.update
    … --steps boot,settings,bad,sort,cuts,rollback --cuts 20 --work /var/tmp/qemu

Needs qemu-system-arm, qemu-efi-aarch64, mtools and an SSH client. Every step prints one JSON line; the exit code is 0
when all hold. A power cut is a killed QEMU: what the guest had not handed to its disk is gone.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

BOOT_OFFSET = 4 << 20
FIRMWARE = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"
READY = ("sorting", "stopped", "safe-mode")
BEGUN_S = 1_800_000_000
"""What the guest's clock says at power-on, in seconds since 1970 (2027-01-15)."""


class Guest:
    """An emulated machine with a card of its own, a copy of the image."""

    def __init__(self, image: Path, work: Path, name: str, port: int) -> None:
        self.card = work / f"{name}.img"
        subprocess.run(["cp", "--sparse=always", image, self.card], check=True)
        self.log, self.network = work / f"{name}.log", work / f"{name}.pcap"
        self.log.unlink(missing_ok=True)
        self.key = work / "key"
        if not self.key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        self.http, self.ssh_port = port, port + 1
        self._process: subprocess.Popen[bytes] | None = None

    def grow_card(self, size: str) -> None:
        """A card that is larger than the image."""
        subprocess.run(["truncate", "-s", size, self.card], check=True)

    def write(self, name: str, text: str) -> None:
        """Puts a file on the boot partition, as a PC would."""
        self._mtools("mcopy", "-o", "-", f"::{name}", text=text)

    def read(self, name: str) -> str:
        return self._mtools("mtype", f"::{name}")

    def _mtools(self, command: str, *words: str, text: str = "") -> str:
        where = f"{self.card}@@{BOOT_OFFSET}"
        result = subprocess.run(
            [command, "-i", where, *words], input=text, text=True, capture_output=True, check=True,
        )  # fmt: skip
        return result.stdout

    def let_in(self) -> None:
        """Gives the test a login, by network.yaml."""
        key = self.key.with_suffix(".pub").read_text().strip()
        self.write("network.yaml", f'hostname: brickgate\nlogin:\n  ssh_key: "{key}"\n')

    def power_on(self) -> float:
        """Returns the instant of power-on."""
        serial = self.log.open("ab")
        self._process = subprocess.Popen(
            [
                "nice", "-n", "5", "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-m", "1024",
                # The guest's clock counts instructions, 2 ns each, so that a busy host makes nothing late in the guest.
                "-icount", "shift=1", "-rtc", "base=2027-01-15T08:00:00,clock=vm",
                "-bios", FIRMWARE, "-display", "none", "-monitor", "none", "-serial", "stdio",
                "-drive", f"if=none,id=card,format=raw,file={self.card},cache=writeback",
                "-device", "virtio-blk-pci,drive=card",
                "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.http}-:80,"
                           f"hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22",
                "-device", "virtio-net-pci,netdev=net,romfile=",
                "-object", f"filter-dump,id=dump,netdev=net,file={self.network}",
            ],
            stdin=subprocess.DEVNULL, stdout=serial, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return time.monotonic()

    def cut_power(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def state(self) -> dict[str, Any] | None:
        """What the status page says; None where it does not answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/state.json", headers={"Host": "localhost"})
        with (
            suppress(OSError, urllib.error.URLError, ValueError),
            urllib.request.urlopen(request, timeout=20) as answer,
        ):
            found: dict[str, Any] = json.load(answer)
            return found
        return None

    def wait(self, holds: Callable[[dict[str, Any]], bool], within_s: float = 900) -> dict[str, Any]:
        """Waits until the page says so."""
        until = time.monotonic() + within_s
        seen = None
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"QEMU has ended: see {self.log}")
            if (seen := self.state() or seen) is not None and holds(seen):
                return seen
            time.sleep(0.5)
        raise TimeoutError(f"not within {within_s} s; last seen: {seen}; see {self.log}")

    def ready(self) -> dict[str, Any]:
        return self.wait(lambda seen: seen["machine"]["state"] in READY)

    def run(self, command: str, timeout_s: float = 600, check: bool = True) -> str:
        """A command by SSH, as `maker`."""
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=60"]
        words = [word for option in options for word in ("-o", option)]
        result = subprocess.run(
            ["ssh", *words, "-i", str(self.key), "-p", str(self.ssh_port), "maker@127.0.0.1", command],
            check=False, capture_output=True, text=True, timeout=timeout_s,
        )  # fmt: skip
        if check and result.returncode:
            raise RuntimeError(
                f"{command}: exit code {result.returncode}: {result.stderr[-2000:]}{result.stdout[-500:]}"
            )
        return result.stdout


class Proof:
    """The steps; each returns what it found, and raises where something does not hold."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.work: Path = options.work
        self.work.mkdir(parents=True, exist_ok=True)

    def guest(self, name: str, *, login: bool = True) -> Guest:
        guest = Guest(self.options.image, self.work, name, self.options.port)
        if login:
            guest.let_in()
        return guest

    def boot(self) -> dict[str, Any]:
        """As it comes, on a larger card and with no network beyond this machine: it grows, is ready, and is silent."""
        guest = self.guest("boot", login=False)
        guest.grow_card("4G")
        since = guest.power_on()
        try:
            guest.wait(lambda seen: True)
            answers_s = time.monotonic() - since
            seen = guest.ready()
            ready_s = time.monotonic() - since
            time.sleep(30)
            asked = outgoing(guest.network)
            assert not asked, f"it asks outside: {asked}"
            assert "SSH is off" in " ".join(seen["notes"])
        finally:
            guest.cut_power()
        since = guest.power_on()
        try:
            guest.ready()
            again_s = time.monotonic() - since
        finally:
            guest.cut_power()
        return {
            "page_answers_s": round(answers_s, 1), "first_ready_s": round(ready_s, 1),
            "again_ready_s": round(again_s, 1),
            "state": seen["machine"]["state"], "reason": seen["machine"]["reason"],
        }  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """A good network.yaml: its name, its login; the disk has grown; what listens, and what may be written."""
        guest = self.guest("settings")
        guest.grow_card("4G")
        guest.write("network.yaml", guest.read("network.yaml").replace("hostname: brickgate", "hostname: kiste"))
        guest.power_on()
        try:
            seen = guest.ready()
            assert seen["hostname"] == "kiste", seen["hostname"]
            listening = guest.run("sudo ss -Hlntup | awk '{print $1, $5}' | sort -u").splitlines()
            root = guest.run("touch /usr/x 2>&1; touch /etc/x /data/home/maker/y && echo ok", check=False)
            time.sleep(20)
            data_mb = int(guest.run("df -BM --output=size /data | tail -n 1").strip().rstrip("M"))
            memory = guest.run("systemctl show -P MemoryCurrent brickgate-status brickgate").split()
            failed = guest.run("systemctl --failed --plain --no-legend | cut -d' ' -f1").split()
            blame = guest.run("systemd-analyze; systemd-analyze blame | head -n 12", check=False)
        finally:
            guest.cut_power()
        assert "Read-only file system" in root, root
        assert data_mb > 1500, data_mb
        return {
            "listening": listening,
            "data_mb": data_mb,
            "memory": memory,
            "failed": failed,
            "blame": blame.splitlines(),
        }

    def bad(self) -> dict[str, Any]:
        """A bad line in each YAML file: nothing moves, each line is on the page; put right, it is ready again."""
        guest = self.guest("bad")
        good = guest.read("machine.yaml")
        guest.write("machine.yaml", good.replace("belt_mm_per_s: 100", "belt_mm_per_s: fast"))
        network = guest.read("network.yaml")
        guest.write("network.yaml", network + "wifi: {nane: x}\n")
        guest.power_on()
        try:
            seen = guest.wait(lambda seen: seen["machine"]["state"] == "safe-mode")
            errors = seen["machine"]["config_errors"]
            line = 1 + good[: good.index("belt_mm_per_s: 100")].count("\n")
            assert any(f"machine.yaml:{line}:" in error for error in errors), errors
            assert any("network.yaml:" in note and "nane" in note for note in seen["notes"]), seen["notes"]
            remount = "sudo mount -o remount,{} /boot/brickgate"
            edit = "sudo sed -i s/fast/100/ /boot/brickgate/machine.yaml && sync"
            guest.run(" && ".join((remount.format("rw"), edit, remount.format("ro"))))
            after = guest.wait(lambda seen: not seen["machine"]["config_errors"] and seen["machine"]["state"] in READY)
        finally:
            guest.cut_power()
        return {"errors": errors, "after": after["machine"]["state"], "then": after["machine"]["reason"]}

    def sort(self) -> dict[str, Any]:
        """Simulated parts on the emulated machine; the page shows them."""
        guest = self.guest("sort")
        guest.power_on()
        try:
            guest.ready()
            guest.run("sudo systemctl stop brickgate")
            parts = self.options.parts
            out = guest.run(SIMULATE.format(parts=parts, seed=3) + " --json", timeout_s=7200)
            result = json.loads(out.splitlines()[-1])
            shown = guest.wait(lambda seen: bool(seen["parts"]))["parts"]
        finally:
            guest.cut_power()
        assert result["parts_fed"] == parts, result
        keys = ("parts_fed", "purity", "recovery", "late_commands", "virtual_s", "wall_s")
        return {
            **{key: result[key] for key in keys},
            "shown": len(shown),
            "with_picture": sum(p["has_picture"] for p in shown),
        }

    def cuts(self) -> dict[str, Any]:
        """The power fails at random moments while parts are sorted: what was shown 3 s before is there afterwards."""
        guest = self.guest("cuts")
        draw, lost, times_s, known = random.Random(self.options.seed), [], [], 0
        for cut in range(self.options.cuts):
            since = guest.power_on()
            try:
                guest.ready()
                times_s.append(round(time.monotonic() - since, 1))
                found = highest_part(guest)
                if found < known:
                    lost.append({"cut": cut, "known": known, "found": found})
                guest.run("sudo systemctl stop brickgate")
                unit = "sudo systemd-run --quiet --unit=sim -p WorkingDirectory=/var/lib/brickgate -p User=brickgate "
                guest.run(unit + SIMULATE.format(parts=100000, seed=cut).removeprefix("sudo -u brickgate "))
                known = max(known, watch(guest, draw.uniform(20, 90)))
            finally:
                guest.cut_power()
            print(json.dumps({"cut": cut + 1, "ready_s": times_s[-1], "parts": known}), flush=True)
        guest.power_on()
        try:
            guest.ready()
            found = highest_part(guest)
            if found < known:
                lost.append({"cut": self.options.cuts, "known": known, "found": found})
            export = "sudo brickgate export --journal /var/lib/brickgate/brickgate-journal.jsonl --format jsonl"
            rows = guest.run(f"{export} | wc -l").strip()
        finally:
            guest.cut_power()
        assert not lost, lost
        return {"cuts": self.options.cuts, "lost": lost, "parts": int(rows), "slowest_ready_s": max(times_s)}

    def rollback(self) -> dict[str, Any]:
        """A good update stays; of a broken one (its service cannot start) the version before comes back by itself."""
        guest = self.guest("rollback")
        guest.grow_card("4G")
        guest.power_on()
        try:
            guest.ready()
            time.sleep(60)  # the disk grows
            self._give(guest, self.options.update)
            guest.run("sudo slot install /data/home/maker/new.update", timeout_s=1800, check=False)
            time.sleep(20)
            guest.ready()
            settled = self._wait_for_slot(guest, "b", "starts by default")
            self._give(guest, self.options.broken)
            guest.run("sudo slot install /data/home/maker/new.update", timeout_s=1800, check=False)
            time.sleep(20)
            seen = guest.wait(lambda seen: any("did not become healthy" in note for note in seen["notes"]), 3600)
            after = guest.run("sudo slot status").splitlines()
        finally:
            guest.cut_power()
        (note,) = [note for note in seen["notes"] if "did not become healthy" in note]
        return {"good": settled, "broken": after, "note": note}

    def _give(self, guest: Guest, update: Path) -> None:
        with update.open("rb") as stream:
            subprocess.run(
                ["ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i", str(guest.key),
                 "-p", str(guest.ssh_port), "maker@127.0.0.1", "cat >/data/home/maker/new.update"],
                check=True, stdin=stream, timeout=3600,
            )  # fmt: skip

    def _wait_for_slot(self, guest: Guest, slot: str, words: str) -> list[str]:
        until = time.monotonic() + 1800
        lines: list[str] = []
        while time.monotonic() < until:
            with suppress(RuntimeError, subprocess.TimeoutExpired):
                lines = guest.run("sudo slot status").splitlines()
                if any(line.startswith(f"{slot}:") and words in line for line in lines):
                    return lines
            time.sleep(5)
        raise TimeoutError(f"slot {slot} does not say '{words}': {lines}")


SIMULATE = (
    "sudo -u brickgate brickgate simulate --parts {parts} --ppm 60 --seed {seed} "
    "--journal /var/lib/brickgate/brickgate-journal.jsonl"
)


def highest_part(guest: Guest) -> int:
    seen = guest.state() or {"parts": []}
    return max((part["part_id"] for part in seen["parts"]), default=0)


def watch(guest: Guest, duration_s: float) -> int:
    """Looks at the page for a while; the highest part that it showed 3 s or more before the end."""
    begun, seen = time.monotonic(), [(0.0, 0)]
    while time.monotonic() - begun < duration_s:
        seen.append((time.monotonic(), highest_part(guest)))
        time.sleep(1)
    end = time.monotonic()
    return max(part for at, part in seen if end - at >= 3)


def outgoing(pcap: Path) -> list[str]:
    """Packets that the machine sends to anybody but for an address (DHCP), its name (mDNS, IGMP), or an answer."""
    data, at, found = pcap.read_bytes(), 24, set()
    while at + 16 <= len(data):
        size = int.from_bytes(data[at + 8 : at + 12], sys.byteorder)
        frame = data[at + 16 : at + 16 + size]
        at += 16 + size
        if frame[12:14] != b"\x08\x00" or (frame[26:29] == b"\x0a\x00\x02" and frame[29] < 15):
            continue  # no IPv4, or from the emulator's router
        kind, start = frame[23], 14 + 4 * (frame[14] & 15)
        source, target = (int.from_bytes(frame[start + n : start + n + 2], "big") for n in (0, 2))
        answers = kind == 6 and source in (80, 22)
        if not (kind == 2 or answers or (kind == 17 and (source, target) in ((68, 67), (5353, 5353)))):
            found.add(f"protocol {kind} from {source} to {'.'.join(map(str, frame[30:34]))}:{target}")
    return sorted(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("image", type=Path)
    parser.add_argument("--update", type=Path)
    parser.add_argument("--broken", type=Path, help="an update whose service cannot start")
    parser.add_argument("--steps", default="boot,settings,bad,sort,cuts,rollback")
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--parts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=8870)
    parser.add_argument("--work", type=Path, default=Path("/var/tmp/brickgate-qemu"))
    proof, failed = Proof(options := parser.parse_args()), 0
    if shutil.which("qemu-system-aarch64") is None or not re.fullmatch(r"[a-z,]+", options.steps):
        parser.error("qemu-system-aarch64 is missing, or --steps names no steps")
    for step in options.steps.split(","):
        begun = time.monotonic()
        try:
            found = {"step": step, "ok": True, **getattr(proof, step)()}
        except (AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
            found, failed = {"step": step, "ok": False, "error": str(error)}, failed + 1
        print(json.dumps({**found, "took_s": round(time.monotonic() - begun)}), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
