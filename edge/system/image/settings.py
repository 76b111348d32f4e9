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
Run = Callable[[Sequence[str], str], None]
"""Runs a command with a text on its standard input."""


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


def apply(settings: NetworkSettings, wrong: Sequence[str], notices: Sequence[str], system: System) -> None:
    """Makes the system as the settings say, and leaves word for the status page.

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
    _apply_login(settings, system)
    if settings.time_server:
        system.write("run/systemd/timesyncd.conf.d/brickgate.conf", f"[Time]\nNTP={settings.time_server}\n")
    system.write(f"{STATE}/how-in.txt", "\n".join([*notices, *wrong, *_how_in(settings)]) + "\n")


def _apply_login(settings: NetworkSettings, system: System) -> None:
    if settings.password_hash:
        system.run(["chpasswd", "--encrypted"], f"{LOGIN}:{settings.password_hash}\n")
    elif settings.password:
        system.run(["chpasswd"], f"{LOGIN}:{settings.password}\n")
    if settings.ssh_keys:
        system.write(f"{STATE}/authorized_keys", "".join(f"{key}\n" for key in settings.ssh_keys))
    if settings.has_login:
        # ssh.service looks for it.
        system.write(f"{STATE}/ssh-on", "")


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


def _run(command: Sequence[str], text: str) -> None:
    subprocess.run(command, input=text, text=True, check=True, timeout=30)


def main() -> int:
    """Applies the file of the boot partition; a mistake is told, and never keeps the system from starting."""
    settings, wrong = read_network(Path("/boot/brickgate/network.yaml"))
    notices = [line for file in sorted(Path("/run/brickgate-image/notices").glob("*")) for line in _lines(file)]
    for line in (*notices, *wrong):
        print(line, file=sys.stderr)
    os.umask(0o022)
    apply(settings, wrong, notices, System(Path("/"), _run, socket.sethostname))
    return 0


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines()


if __name__ == "__main__":
    sys.exit(main())
