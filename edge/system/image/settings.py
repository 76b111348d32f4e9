"""Applies network.yaml at each boot: the boot partition is the truth, the system keeps nothing of its own.

/etc is a layer in memory over the read-only system, so whatever is written there is written anew at each boot. Runs as
root, before the network: `python3 -m edge.system.image.settings`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.system.image.network import NetworkSettings, read_network

LOGIN = "maker"
STATE = "run/brickgate-image"
TIMEOUT_S = 30.0
Run = Callable[[Sequence[str], str], str]
"""Runs a command with a text on its standard input; says why it failed, in one line, or nothing."""


@dataclass(frozen=True, slots=True)
class System:
    """What settings are applied to: a root folder, and the two things that are no files."""

    root: Path
    run: Run
    set_hostname: Callable[[str], object]

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Writes a file whole; its folder is made."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=mode)
        file.chmod(mode)
        file.write_text(text, encoding="utf-8")


def apply(settings: NetworkSettings, wrong: Sequence[str], notices: Sequence[str], system: System) -> list[str]:
    """Makes the system as the settings say, and leaves word for the status page. Returns what went wrong on the way.

    Args:
        wrong: what is wrong with network.yaml.
        notices: what else there is to tell, such as an update that was taken back.
    """
    name = settings.hostname
    system.write("etc/hostname", f"{name}\n")
    system.write("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n")
    system.set_hostname(name)
    if settings.wifi_name:
        system.write(f"{STATE}/wpa_supplicant.conf", _wpa(settings), 0o600)
    failed = _apply_login(settings, system)
    if settings.time_server:
        system.write("run/systemd/timesyncd.conf.d/brickgate.conf", f"[Time]\nNTP={settings.time_server}\n")
    system.write(f"{STATE}/how-in.txt", "\n".join([*notices, *wrong, *failed, *_how_in(settings)]) + "\n")
    return failed


def _apply_login(settings: NetworkSettings, system: System) -> list[str]:
    """Lets in whoever the settings name. Returns what went wrong: a password that cannot be set costs no key."""
    failed = _set_password(settings, system)
    if settings.ssh_keys:
        system.write(f"{STATE}/authorized_keys", "".join(f"{key}\n" for key in settings.ssh_keys))
    if settings.has_login:
        # ssh.service looks for it.
        system.write(f"{STATE}/ssh-on", "")
    return [f"network.yaml: login: the password could not be set: {failed}"] if failed else []


def _set_password(settings: NetworkSettings, system: System) -> str:
    if settings.password_hash:
        return system.run(["chpasswd", "--encrypted"], f"{LOGIN}:{settings.password_hash}\n")
    if settings.password:
        return system.run(["chpasswd"], f"{LOGIN}:{settings.password}\n")
    return ""


def _wpa(settings: NetworkSettings) -> str:
    """wpa_supplicant.conf(5). The name is given in hex, and the password in quotes that take any character."""
    if not settings.wifi_password:
        key = "key_mgmt=NONE"
    elif len(settings.wifi_password) == 64:
        key = f"psk={settings.wifi_password}"
    else:
        key = f'psk="{settings.wifi_password}"\n  key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n  ieee80211w=1'
    country = f"country={settings.wifi_country}\n" if settings.wifi_country else ""
    return f"{country}network={{\n  ssid={settings.wifi_name.encode().hex()}\n  scan_ssid=1\n  {key}\n}}\n"


def _how_in(settings: NetworkSettings) -> list[str]:
    lines = [
        f"This page: `http://{settings.hostname}.local`",
        "Settings: switch off, put the card in a PC, and edit `machine.yaml`, `bins.yaml` or `network.yaml` on the "
        "drive BRICKGATE",
    ]
    if settings.has_login:
        lines.insert(1, f"A terminal: `ssh {LOGIN}@{settings.hostname}.local`")
    else:
        lines.append("SSH is off: give `login` a password or an ssh_key in `network.yaml`")
    return lines


def run(command: Sequence[str], text: str) -> str:
    """Runs a command with a text on its standard input. Returns why it failed, in one line, or nothing."""
    try:
        done = subprocess.run(command, input=text, text=True, check=False, capture_output=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {getattr(error, 'strerror', None) or f'no answer within {TIMEOUT_S:g} s'}"
    if done.returncode == 0:
        return ""
    said = " ".join((done.stderr or done.stdout).split())[:200]
    return said or f"{command[0]} ended with exit code {done.returncode}"


def main() -> int:
    """Applies the file of the boot partition; a mistake is told, and never keeps the system from starting."""
    settings, wrong = read_network(Path("/boot/brickgate/network.yaml"))
    notices = [line for file in sorted(Path("/run/brickgate-image/notices").glob("*")) for line in _lines(file)]
    os.umask(0o022)
    failed = apply(settings, wrong, notices, System(Path("/"), run, socket.sethostname))
    for line in (*notices, *wrong, *failed):
        print(line, file=sys.stderr)
    return 0


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines()


if __name__ == "__main__":
    sys.exit(main())
