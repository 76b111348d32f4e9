"""`slot`: the two systems on the card. An update goes into the one that does not run, is tried once, and stays only if
it becomes healthy.

    slot status            which runs, which starts by default, which version each holds
    slot install FILE      writes an update into the other slot, and restarts into it, once
    slot check             at each boot: a system on trial stays if it is healthy, else the other comes back
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.clock import Clock, MonotonicClock
from edge.errors import BrickgateError, InputError
from edge.service_manager import STATE_FILE
from edge.system.image.boot_choice import SLOTS, BootChoice, boot_choice, replace_durably
from edge.system.image.update import Target, install_update
from edge.web.state import State, read_state

HEALTHY_WITHIN_S = 240.0
LOOK_EVERY_S = 2.0
HEALTHY_FOR_S = 20.0
"""A service that crashes soon after its start is not healthy."""
AT_REST = (State.SORTING, State.STOPPED)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the command works on; tests put folders and lists in the place of a card.

    `writable` makes the boot partition writable for a while; `run` runs a command; `page_answers` asks the status page.
    """

    boot: Path
    data: Path
    state_file: Path
    running: str
    choice: BootChoice
    partition: Callable[[str], Path]
    writable: Callable[[], AbstractContextManager[object]]
    run: Callable[[Sequence[str]], object]
    page_answers: Callable[[], bool]
    clock: Clock

    @property
    def trial_file(self) -> Path:
        return self.data / "slot" / "trial.json"

    def version(self, slot: str) -> str:
        """What a slot holds; "nothing" where it was never written, or not to the end."""
        try:
            return (self.boot / f"slot-{slot}" / "version.txt").read_text(encoding="utf-8").strip()
        except OSError:
            return "nothing"


def other(slot: str) -> str:
    return SLOTS[1 - SLOTS.index(slot)]


def status(machine: Machine, say: Callable[[str], None]) -> None:
    """One line a slot."""
    default = machine.choice.default()
    for slot in SLOTS:
        words = [machine.version(slot)]
        words += ["runs"] if slot == machine.running else []
        words += ["starts by default"] if slot == default else []
        say(f"{slot}: {', '.join(words)}")


def install(machine: Machine, file: Path, say: Callable[[str], None]) -> None:
    """Writes an update into the other slot and restarts into it.

    Raises:
        InputError: see `install_update`; or a trial is under way.
    """
    if machine.running != machine.choice.default():
        raise InputError("this system is on trial itself: wait until `slot status` says that it starts by default")
    slot = other(machine.running)
    with machine.writable():
        folder = machine.boot / f"slot-{slot}"
        version = install_update(file, Target(folder, machine.partition(slot)), say)
        _name_slot(folder / "cmdline.txt", slot)
        was = read_state(machine.state_file).state
        trial = {"slot": slot, "version": version, "from": machine.version(machine.running), "was": str(was)}
        machine.trial_file.parent.mkdir(parents=True, exist_ok=True)
        replace_durably(machine.trial_file, json.dumps(trial).encode())
        machine.choice.prepare_trial(slot)
    say(f"restarting into {version}; if it does not become healthy, {trial['from']} comes back by itself")
    machine.run(machine.choice.reboot_command())


def _name_slot(cmdline: Path, slot: str) -> None:
    """The Pi's kernel command line says which slot it is; an update does not know where it will lie."""
    if cmdline.exists():
        text = re.sub(r"\bbrickgate\.slot=[ab]\b", f"brickgate.slot={slot}", cmdline.read_text(encoding="ascii"))
        replace_durably(cmdline, text.encode())


def check(machine: Machine, say: Callable[[str], None]) -> str | None:
    """Ends a trial, one way or the other.

    Returns:
        A line for the status page when an update was taken back, else None.
    """
    trial = _trial(machine)
    if trial is None:
        return None
    version, before = trial["version"], trial["from"]
    if machine.running != trial["slot"]:
        machine.trial_file.unlink()
        return f"The update to {version} did not become healthy: {before} runs again"
    why = _wait_until_healthy(machine, trial["was"])
    if why is None:
        with machine.writable():
            machine.choice.make_default(machine.running)
        machine.trial_file.unlink()
        say(f"{version} is healthy and stays")
    else:
        say(f"{version} is not healthy ({why}): back to {before}")
        machine.run(("systemctl", "reboot"))
    return None


def _wait_until_healthy(machine: Machine, was: str) -> str | None:
    """None when it is; else what is missing."""
    clock, healthy_since_s = machine.clock, None
    until_s = clock.now_s() + HEALTHY_WITHIN_S
    while True:
        why = _unhealthy(machine, was)
        now_s = clock.now_s()
        healthy_since_s = None if why else now_s if healthy_since_s is None else healthy_since_s
        if healthy_since_s is not None and now_s - healthy_since_s >= HEALTHY_FOR_S:
            return None
        if now_s >= until_s:
            return why or "it was healthy too short a time"
        clock.sleep_until(now_s + LOOK_EVERY_S)


def _unhealthy(machine: Machine, was: str) -> str | None:
    state = read_state(machine.state_file)
    # A machine whose configuration was bad before is not better for an update, nor is the update worse for it.
    good = state.state in AT_REST or (state.state is State.SAFE_MODE and was not in AT_REST)
    if not good:
        return f"the machine is in state {state.state}: {state.reason}"
    return None if machine.page_answers() else "the status page does not answer"


def _trial(machine: Machine) -> dict[str, str] | None:
    try:
        values: Any = json.loads(machine.trial_file.read_bytes())
        return {key: str(values[key]) for key in ("slot", "version", "from", "was")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _this_machine() -> Machine:
    boot = Path("/boot/brickgate")
    found = re.search(r"\bbrickgate\.slot=([ab])\b", Path("/proc/cmdline").read_text())
    if found is None:
        raise InputError("this is no system of Brickgate's SD-card image: `slot` has nothing to work on")

    @contextmanager
    def writable() -> Iterator[None]:
        _call(("mount", "-o", "remount,rw", str(boot)))
        try:
            yield
        finally:
            _call(("sync",))
            _call(("mount", "-o", "remount,ro", str(boot)))

    return Machine(
        boot, Path("/data"), STATE_FILE, found[1], boot_choice(boot),
        lambda slot: Path(f"/dev/brickgate-{slot}"), writable, _call, _page_answers, MonotonicClock(),
    )  # fmt: skip


def _call(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)


def _page_answers() -> bool:
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", 80, timeout=10)
    try:
        connection.request("GET", "/state.json")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _say(line: str) -> None:
    print(line, flush=True)


def main(words: Sequence[str]) -> int:
    """The command; problems are one line."""
    try:
        match words:
            case ["status"]:
                status(_this_machine(), _say)
            case ["install", file]:
                install(_this_machine(), Path(file), _say)
            case ["check"]:
                if line := check(_this_machine(), _say):
                    _say(line)
                    _leave_word(line)
            case _:
                _say((__doc__ or "").strip())
                return 2
    except (BrickgateError, OSError, subprocess.CalledProcessError) as error:
        print(f"slot: {error}", file=sys.stderr)
        return 1
    return 0


def _leave_word(line: str) -> None:
    """For the status page: at the head of what it shows."""
    file = Path("/run/brickgate-image/how-in.txt")
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    replace_durably(file, f"{line}\n{before}".encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
