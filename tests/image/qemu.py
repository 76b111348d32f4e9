"""Boots the SD-card image on an emulated arm64 machine and shows that it does what docs/image.md says. Takes hours.

    python tests/image/qemu.py build/image/brickgate-0.1.0-debian.img --update build/image/brickgate-0.1.0-debian.update
    … --steps boot,settings,bad,sort,cuts,rollback --cuts 20 --boots 2 --work /var/tmp/qemu

Needs qemu-system-arm, qemu-efi-aarch64, mtools, e2fsprogs and an SSH client. Every step prints one JSON line; the exit
code is 0 when all hold. `bad`, `sort`, `rollback` and `off` go on with the machine that runs, `cuts` with what `sort`
kept, in this run or in one before with the same `--work`.

A power cut is the card as it was at an instant: while parts are sorted QEMU is halted, its data partition copied, and
let go on. What the guest had not handed to its disk is not in the copy, just as after a killed QEMU, and no boot is
lost between two cuts. Each copy is mended as the initramfs mends it and its journal read; `--boots` of them are booted
as the cut left them, and their machine must become ready with the parts it had.
The guest's clock counts instructions: its seconds do not depend on how busy the host is, the host's do.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recording import record

BOOT_OFFSET, DATA_OFFSET, DATA_BYTES = 4 << 20, (4 + 256 + 2 * 768) << 20, 64 << 20
FIRMWARE = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"
DURABLE_S = 1.0
"""What was decided so long before a power cut is on the disk (docs/journal.md)."""
MOST_KB = 300_000
"""What the service may take."""
READY = ("sorting", "stopped", "safe-mode")
ROOT = Path(__file__).parents[2]
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

    def make_belt(self) -> None:
        """A recording of an empty belt, on the boot partition."""
        rows, columns = 720, 1280
        picture = self.card.with_suffix(".png")
        picture.write_bytes(grey_png(rows, columns))
        with suppress(subprocess.CalledProcessError):  # It is there.
            self._mtools("mmd", "::belt")
        for number in range(4):
            self._mtools("mcopy", "-o", str(picture), f"::belt/{number}.png")

    def lay_belt(self, folder: Path) -> None:
        """Puts another recording in the place of the empty belt's."""
        self._mtools("mdeltree", "::belt")
        self._mtools("mmd", "::belt")
        self._mtools("mcopy", *map(str, sorted(folder.iterdir())), "::belt")

    def let_in(self) -> None:
        """Gives the test a login, by network.yaml."""
        key = self.key.with_suffix(".pub").read_text().strip()
        self.write("network.yaml", f'hostname: brickgate\nlogin:\n  ssh_key: "{key}"\n')

    def power_on(self, second_drive: Path | None = None) -> float:
        """Returns the instant of power-on.

        Args:
            second_drive: a file that the machine has as /dev/vdb.
        """
        second = (
            "-drive", f"if=none,id=second,format=raw,readonly=on,file={second_drive}",
            "-device", "virtio-blk-pci,drive=second",
        )  # fmt: skip
        serial = self.log.open("ab")
        self._process = subprocess.Popen(
            [
                "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-m", "1024",
                # The guest's clock counts instructions, 2 ns each, so that a busy host makes nothing late in the guest.
                "-icount", "shift=1", "-rtc", "base=2027-01-15T08:00:00,clock=vm",
                "-bios", FIRMWARE, "-display", "none", "-monitor", "none", "-serial", "stdio",
                "-drive", f"if=none,id=card,format=raw,file={self.card},cache=writeback",
                "-device", "virtio-blk-pci,drive=card", *(second if second_drive else ()),
                "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.http}-:80,"
                           f"hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22",
                "-device", "virtio-net-pci,netdev=net,romfile=",
                "-object", f"filter-dump,id=dump,netdev=net,file={self.network}",
            ],
            stdin=subprocess.DEVNULL, stdout=serial, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return time.monotonic()

    def computed_s(self) -> float:
        """What the host has computed for it."""
        assert self._process is not None
        user, system = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    @contextmanager
    def halted(self) -> Iterator[None]:
        """The machine stands still meanwhile, its clock too."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        yield
        self._process.send_signal(signal.SIGCONT)

    def cut_power(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def state(self) -> dict[str, Any] | None:
        """What the status page says; None where it does not answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/state.json", headers={"Host": "localhost"})
        with (
            suppress(OSError, urllib.error.URLError, ValueError),
            urllib.request.urlopen(request, timeout=120) as answer,
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
            time.sleep(5)  # Each look costs the guest some work.
        raise TimeoutError(f"not within {within_s} s; last seen: {seen}; see {self.log}")

    def wait_for_console(self, pattern: str, within_s: float = 3600) -> None:
        """Waits until the console has said so, which costs the guest nothing."""
        until = time.monotonic() + within_s
        while not re.search(pattern, self.log.read_text(errors="replace")):
            if time.monotonic() > until or self._process is None or self._process.poll() is not None:
                raise TimeoutError(f"the console does not say '{pattern}': see {self.log}")
            time.sleep(1)

    def wait_until_off(self, within_s: float = 1800) -> None:
        """Waits until the machine has switched itself off."""
        assert self._process is not None
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"it does not switch itself off: see {self.log}") from None

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
        self._guest: Guest | None = None

    @property
    def _cuts_file(self) -> Path:
        """The copies that `sort` made, and what each must hold: a later run can go on with them."""
        return self.work / "cuts.json"

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

    def running(self) -> Guest:
        """The machine of the step before, or a new one that is ready."""
        if self._guest is None:
            self._guest = self.guest("tour")
            self._play_a_recording(self._guest)
            self._guest.power_on(self.options.broken or self.options.update)
            self._guest.ready()
        return self._guest

    def _play_a_recording(self, guest: Guest) -> str:
        """Gives the machine a camera that it can have here. Returns its machine.yaml."""
        example = ROOT / "edge/config/examples/beginner-4"
        machine = (example / "machine.yaml").read_text(encoding="utf-8")
        machine = machine.replace("driver: sim                 # picamera2", "driver: frames # picamera2", 1)
        machine = machine.replace("bundle: universal", f"bundle: {self.options.bundle}", 1)
        machine = machine.replace("camera:\n", "camera:\n  path: /boot/brickgate/belt\n", 1)
        guest.write("machine.yaml", machine)
        guest.write("bins.yaml", (example / "bins.yaml").read_text(encoding="utf-8"))
        guest.make_belt()
        return machine

    def bad(self) -> dict[str, Any]:
        """A bad line in each YAML file: nothing moves, each line is on the page; put right, it is ready again."""
        guest = self._guest = self.guest("tour")
        good = self._play_a_recording(guest)
        guest.write("machine.yaml", good.replace("belt_mm_per_s: 100", "belt_mm_per_s: fast"))
        network = guest.read("network.yaml")
        guest.write("network.yaml", network + "wifi: {nane: x}\n")
        since = guest.power_on(self.options.broken or self.options.update)
        guest.wait(lambda seen: True, 3600)
        answers_s = time.monotonic() - since
        seen = guest.wait(lambda seen: seen["machine"]["state"] == "safe-mode", 3600)
        ready_s = seen["machine"]["since_s"] - BEGUN_S
        errors = seen["machine"]["config_errors"]
        line = 1 + good[: good.index("belt_mm_per_s: 100")].count("\n")
        assert any(f"machine.yaml:{line}:" in error for error in errors), errors
        assert any("network.yaml:" in note and "nane" in note for note in seen["notes"]), seen["notes"]
        remount = "sudo mount -o remount,{} /boot/brickgate"
        edit = "sudo sed -i s/fast/100/ /boot/brickgate/machine.yaml && sync"
        guest.run(" && ".join((remount.format("rw"), edit, remount.format("ro"))))
        after = guest.wait(lambda seen: seen["machine"]["state"] in ("sorting", "stopped"), 3600)
        return {
            "page_answers_host_s": round(answers_s), "ready_guest_s": round(ready_s, 1), "errors": errors,
            "notes": seen["notes"], "after": after["machine"]["state"], "then": after["machine"]["reason"],
            **self._measure(guest),
        }  # fmt: skip

    def memory(self) -> dict[str, Any]:
        """What the running service takes while it recognises parts: the kernel's word, most of all looks at it."""
        self.close()
        guest, folder = self.guest("memory"), self.work / "recording"
        self._guest = guest
        if not folder.exists():
            record(folder)
        self._play_a_recording(guest)
        guest.lay_belt(folder)
        guest.power_on()
        guest.wait_for_console(r"Brickgate [\d.]+: stopped")
        said = guest.run(WATCH, timeout_s=3600)
        seen = guest.wait(lambda seen: seen["machine"]["state"] == "stopped")
        looks = [dict(re.findall(r"(\w+): (\d+) kB", line)) for line in said.splitlines() if "VmRSS" in line]
        most = {name: max((int(look.get(name, 0)) for look in looks), default=0) for name in ("VmRSS", "RssAnon")}
        newest = max((part["part_id"] for part in seen["parts"]), default=0)
        assert newest > 0, seen
        assert 0 < most["VmRSS"] <= MOST_KB, most
        return {"looks": len(looks), "most_kb": most, "parts": newest, "peak_bytes": said.splitlines()[-1]}

    def off(self) -> dict[str, Any]:
        """Switched off by hand: everything is taken leave of, and the machine has no power at last."""
        guest = self.running()
        begun = time.monotonic()
        guest.run("sudo systemctl poweroff", check=False)
        guest.wait_until_off()
        self._guest = None
        said = guest.log.read_text(errors="replace")
        complaints = re.findall(r"Failed unmounting[^\r\n]*", said)
        assert not complaints, complaints
        assert "reboot: Power down" in said, said[-500:]
        return {"off_host_s": round(time.monotonic() - begun)}

    def _measure(self, guest: Guest) -> dict[str, Any]:
        """What listens, what systemd took, what failed."""
        listening = guest.run("sudo ss -Hlntup | awk '{print $1, $5}' | sort -u").splitlines()
        root = guest.run("touch /usr/x 2>&1; sudo touch /etc/x && touch ~/y && echo ok", check=False)
        assert "Read-only file system" in root, root
        assert root.splitlines()[-1] == "ok", root
        return {
            "listening": listening,
            "memory": guest.run("systemctl show -P MemoryPeak brickgate-status brickgate").split(),
            "failed": guest.run("systemctl --failed --plain --no-legend | cut -d' ' -f1").split(),
            "blame": guest.run("systemd-analyze; systemd-analyze blame | head -n 12", check=False).splitlines(),
        }

    def sort(self) -> dict[str, Any]:
        """Simulated parts on the emulated machine; the page shows them. Meanwhile the card is copied as it is."""
        guest, parts = self.running(), self.options.parts
        guest.run("sudo systemctl stop brickgate")
        unit = "sudo systemd-run --quiet --unit=sim -p WorkingDirectory=/var/lib/brickgate -p User=brickgate "
        unit += "-p StandardOutput=file:/var/lib/brickgate/result.json "
        guest.run(unit + SIMULATE.format(parts=parts, seed=3))
        copies = self._copy_at_random(guest)
        until = time.monotonic() + 7200
        while (state := self._state_of(guest, "sim")) in {"", "active", "activating"}:
            if time.monotonic() > until:
                raise TimeoutError("the simulation does not end")
            time.sleep(30)  # A login costs the guest half a second of computing.
        out = guest.run("sudo cat /var/lib/brickgate/result.json")
        assert out.strip(), (state, guest.run("sudo journalctl -u sim | tail -n 5"))
        result = json.loads(out.splitlines()[-1])
        shown = guest.wait(lambda seen: bool(seen["parts"]))["parts"]
        assert result["parts_fed"] == parts, result
        keys = ("parts_fed", "purity", "recovery", "late_commands", "virtual_s", "wall_s")
        return {
            **{key: result[key] for key in keys},
            "shown": len(shown),
            "with_picture": sum(p["has_picture"] for p in shown),
            "copies": len(copies),
        }

    @staticmethod
    def _state_of(guest: Guest, unit: str) -> str:
        """What systemd says of a unit; empty where no answer came in time."""
        with suppress(subprocess.TimeoutExpired):
            return guest.run(f"systemctl is-active {unit}", check=False).strip()
        return ""

    def _copy_at_random(self, guest: Guest) -> list[Cut]:
        """Copies of the data partition while parts are sorted, each with what had been shown a second before."""
        draw, copies = random.Random(self.options.seed), []
        guest.wait(lambda view: bool(view["parts"]), 3600)
        begun, seen = time.monotonic(), []
        due = sorted(draw.uniform(0, self.options.cut_within_s) for _ in range(self.options.cuts))
        for instant_s in due:
            while time.monotonic() - begun < instant_s:
                seen += self._look(guest)
                time.sleep(1)  # Each look costs the guest some work.
            seen += self._look(guest)
            copy = self.work / f"cut-{len(copies):02}.ext4"
            with guest.halted():
                copy_data(guest.card, copy)
            cut_s = seen[-1][0]
            must = {part: where for at_s, parts in seen if cut_s - at_s >= DURABLE_S for part, where in parts.items()}
            copies.append(Cut(copy.name, cut_s - BEGUN_S, must, max(map(int, seen[-1][1]))))
            self._cuts_file.write_text(json.dumps([asdict(cut) for cut in copies]))
        return copies

    def _look(self, guest: Guest) -> list[tuple[float, dict[str, str]]]:
        """The guest's time, and the bin of each part that the page shows then."""
        view = guest.state()
        return [(view["now_s"], {str(part["part_id"]): part["bin"] for part in view["parts"]})] if view else []

    def cuts(self) -> dict[str, Any]:
        """Each copy is a power cut: mended, nothing that was shown a second before is missing; some are booted too."""
        self.close()  # One machine at a time.
        cuts = [Cut(**values) for values in json.loads(self._cuts_file.read_bytes())]
        assert cuts
        each = []
        for number, cut in list(enumerate(cuts))[self.options.first_cut :]:
            copy = self.work / cut.file
            code, found = mend_and_read(copy)
            lost = [part for part in cut.must_hold if part not in found]
            newer = [part for part, where in cut.must_hold.items() if found.get(part, where) != where]
            row: dict[str, Any] = {
                "cut": number, "e2fsck": code, "newest_shown": cut.newest, "must_hold": len(cut.must_hold),
                "held": len(found), "lost": lost, "told_anew_since": newer,
            }  # fmt: skip
            if len(each) < self.options.boots:
                row["boot"] = self._boot_copy(copy, len(found))
            print(json.dumps(row), file=sys.stderr, flush=True)
            each.append(row)
        assert not any(row["lost"] or row["e2fsck"] >= 4 for row in each), each
        booted = [row["boot"]["ready_guest_s"] for row in each if "boot" in row]
        return {"cuts": len(each), "each": each, "booted": len(booted), "ready_guest_s": [min(booted), max(booted)]}

    def _boot_copy(self, copy: Path, parts: int) -> dict[str, Any]:
        """Starts the machine with that data partition, as the cut left it; it is ready, and shows its last part."""
        guest = self.guest(f"boot-{copy.stem}")
        self._play_a_recording(guest)
        with copy.open("rb") as source, guest.card.open("r+b") as card:
            card.seek(DATA_OFFSET)
            shutil.copyfileobj(source, card, 1 << 20)
        since = guest.power_on()
        try:
            guest.wait_for_console(r"Brickgate [\d.]+: (sorting|stopped)")
            seen = guest.wait(lambda seen: seen["machine"]["state"] in ("sorting", "stopped"))
            assert parts == 0 or seen["parts"][0]["part_id"] == parts, (parts, seen["parts"])
            computed_s = round(guest.computed_s())
        finally:
            guest.cut_power()
            guest.card.unlink()
        ready_s = round(seen["machine"]["since_s"] - BEGUN_S, 1)
        return {"ready_guest_s": ready_s, "host_s": round(time.monotonic() - since), "computed_s": computed_s}

    def rollback(self) -> dict[str, Any]:
        """Of a broken update (its service cannot start) the version before comes back by itself; a good one stays."""
        guest = self.running()
        guest.run("sudo systemctl restart brickgate")
        guest.wait(lambda seen: seen["machine"]["state"] in ("sorting", "stopped"), 3600)
        said = guest.run("sudo slot install /dev/vdb", timeout_s=3600, check=False).splitlines()
        if not self.options.broken:
            return {"said": said, "good": self._wait_for_slot(guest, "b", "starts by default")}
        seen = guest.wait(lambda seen: any("did not become healthy" in note for note in seen["notes"]), 7200)
        after = guest.run("sudo slot status").splitlines()
        (note,) = [note for note in seen["notes"] if "did not become healthy" in note]
        return {"said": said, "broken": after, "note": note, "state": seen["machine"]["state"]}

    def close(self) -> None:
        """The machine that runs is switched off."""
        if self._guest is not None:
            self._guest.cut_power()
            self._guest = None

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


@dataclass(frozen=True, slots=True)
class Cut:
    """A copy of the data partition at an instant of the guest, in seconds since power-on.

    `must_hold` are the parts that the page had shown at least `DURABLE_S` before, each with its bin; `newest` the
    highest part that it had shown at all.
    """

    file: str
    at_guest_s: float
    must_hold: dict[str, str]
    newest: int


WATCH = """sudo systemctl restart brickgate
while pid=$(systemctl show -P MainPID brickgate) && [ "$pid" != 0 ]; do
  echo $(grep -hE 'VmRSS|RssAnon|RssFile' /proc/$pid/status)
  sleep 1
done
systemctl show -P MemoryPeak brickgate
"""
"""The service plays its recording again, and the machine itself looks on: a page would be slow to answer meanwhile."""
SIMULATE = (
    "brickgate simulate --json --config beginner-4 --parts {parts} --ppm 150 --seed {seed} "
    "--journal /var/lib/brickgate/brickgate-journal.jsonl"
)


def grey_png(rows: int, columns: int) -> bytes:
    """A picture with nothing in it but a little unevenness, as 8-bit grey."""
    lines = b"".join(
        bytes([0, *((row * 7 + column * 13) % 8 + 90 for column in range(columns))]) for row in range(rows)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def copy_data(card: Path, copy: Path) -> None:
    """The data partition as it is on the card now."""
    with card.open("rb") as source, copy.open("wb") as target:
        source.seek(DATA_OFFSET)
        for _ in range(DATA_BYTES >> 20):
            target.write(source.read(1 << 20))


def mend_and_read(copy: Path) -> tuple[int, dict[str, str]]:
    """What `e2fsck -p` says (below 4: it is whole), and the bin of each part in the journal. Leaves the copy alone."""
    mended, out = copy.with_suffix(".mended"), copy.with_suffix("")
    subprocess.run(["cp", "--sparse=always", copy, mended], check=True)
    code = subprocess.run(["/usr/sbin/e2fsck", "-p", mended], check=False, capture_output=True).returncode
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    subprocess.run(["/usr/sbin/debugfs", "-R", f"rdump /brickgate {out}", mended], check=True, capture_output=True)
    mended.unlink()
    export = [sys.executable, "-m", "edge.cli", "export", "--format", "jsonl"]
    journal = out / "brickgate/brickgate-journal.jsonl"
    rows = subprocess.run([*export, f"--journal={journal}"], check=True, capture_output=True, text=True, cwd=ROOT)
    parts = {str(row["part_id"]): str(row["bin"]) for row in map(json.loads, rows.stdout.splitlines())}
    assert sorted(map(int, parts)) == list(range(1, len(parts) + 1)), sorted(parts)
    return code, parts


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
    parser.add_argument(
        "--cut-within-s", type=float, default=900, help="so long, after the first part, the host waits for the last cut"
    )
    parser.add_argument("--boots", type=int, default=2, help="of the cuts, how many are booted")
    parser.add_argument("--first-cut", type=int, default=0, help="of the cuts, the first to be mended and booted")
    parser.add_argument("--parts", type=int, default=200)
    parser.add_argument("--bundle", default="universal", help="what the machine recognises parts with")
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
            proof.close()
        print(json.dumps({**found, "took_s": round(time.monotonic() - begun)}), flush=True)
    proof.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
