"""What network.yaml makes of the system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edge.system.image.network import NetworkSettings
from edge.system.image.settings import System, apply, run

IMAGE = "run/brickgate-image"


class Recorded(System):
    """A system in a folder, which records what would be run, and fails at it for the reason `fails`, if any."""

    def __init__(self, root: Path, fails: str = "") -> None:
        self.commands: list[tuple[Sequence[str], str]]
        self.names: list[str]
        object.__setattr__(self, "commands", [])
        object.__setattr__(self, "names", [])

        def record(command: Sequence[str], text: str) -> str:
            self.commands.append((command, text))
            return fails

        super().__init__(root, record, self.names.append)


@pytest.fixture
def system(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


def text(system: System, path: str) -> str:
    return (system.root / path).read_text(encoding="utf-8")


def test_without_settings_it_is_called_brickgate_and_lets_nobody_in(system: Recorded) -> None:
    apply(NetworkSettings(), [], [], system)
    assert text(system, "etc/hostname") == "brickgate\n"
    assert system.names == ["brickgate"]
    assert system.commands == []
    assert not (system.root / IMAGE / "ssh-on").exists()
    assert not (system.root / IMAGE / "wpa_supplicant.conf").exists()
    assert not (system.root / "run/systemd/timesyncd.conf.d/brickgate.conf").exists()
    words = text(system, f"{IMAGE}/how-in.txt")
    assert "http://brickgate.local" in words
    assert "SSH is off" in words


def test_what_is_wrong_and_what_happened_stand_first(system: Recorded) -> None:
    apply(NetworkSettings(), ["network.yaml:3: wifi: …"], ["The data partition …"], system)
    assert text(system, f"{IMAGE}/how-in.txt").splitlines()[:2] == ["The data partition …", "network.yaml:3: wifi: …"]


def test_a_name_is_the_hosts_and_the_pages(system: Recorded) -> None:
    apply(NetworkSettings("kiste"), [], [], system)
    assert "127.0.1.1 kiste" in text(system, "etc/hosts")
    assert "http://kiste.local" in text(system, f"{IMAGE}/how-in.txt")


@pytest.mark.parametrize(
    ("settings", "command"),
    [
        (NetworkSettings(password="correct horse"), (["chpasswd"], "maker:correct horse\n")),
        (NetworkSettings(password_hash="$6$x"), (["chpasswd", "--encrypted"], "maker:$6$x\n")),
        (
            NetworkSettings(password="correct horse", password_hash="$6$x"),
            (["chpasswd", "--encrypted"], "maker:$6$x\n"),
        ),
    ],
)
def test_a_password_lets_in(system: Recorded, settings: NetworkSettings, command: tuple[list[str], str]) -> None:
    apply(settings, [], [], system)
    assert system.commands == [command]
    assert (system.root / IMAGE / "ssh-on").exists()
    assert "ssh maker@brickgate.local" in text(system, f"{IMAGE}/how-in.txt")


def test_keys_let_in(system: Recorded) -> None:
    apply(NetworkSettings(ssh_keys=("ssh-ed25519 A", "ssh-rsa B")), [], [], system)
    assert text(system, f"{IMAGE}/authorized_keys") == "ssh-ed25519 A\nssh-rsa B\n"
    assert (system.root / IMAGE / "ssh-on").exists()


def test_wifi_is_for_root_alone_and_takes_any_name_and_password(system: Recorded) -> None:
    apply(NetworkSettings(wifi_name='Café "net"', wifi_password='a"b\\c#d e', wifi_country="DE"), [], [], system)
    file = system.root / IMAGE / "wpa_supplicant.conf"
    assert file.stat().st_mode & 0o777 == 0o600
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "country=DE"
    assert "  ssid=436166c3a920226e657422" in lines
    assert '  psk="a"b\\c#d e"' in lines  # wpa_supplicant takes all up to the last quote


def test_wifi_without_a_password_and_with_a_ready_key(system: Recorded) -> None:
    apply(NetworkSettings(wifi_name="a"), [], [], system)
    assert "key_mgmt=NONE" in text(system, f"{IMAGE}/wpa_supplicant.conf")
    apply(NetworkSettings(wifi_name="a", wifi_password="0" * 64), [], [], system)
    assert f"psk={'0' * 64}\n" in text(system, f"{IMAGE}/wpa_supplicant.conf")


def test_the_time_is_asked_for_where_a_server_is_named(system: Recorded) -> None:
    apply(NetworkSettings(time_server="192.168.1.1"), [], [], system)
    assert text(system, "run/systemd/timesyncd.conf.d/brickgate.conf") == "[Time]\nNTP=192.168.1.1\n"


@pytest.mark.parametrize("settings", [NetworkSettings(password="short"), NetworkSettings(password_hash="$6$x")])
def test_a_password_that_cannot_be_set_is_told_and_costs_nothing_else(
    tmp_path: Path, settings: NetworkSettings
) -> None:
    system = Recorded(tmp_path, fails="chpasswd: (user maker) pam_chauthtok() failed")
    settings = replace(settings, ssh_keys=("ssh-ed25519 A",), time_server="192.168.1.1")
    line = "network.yaml: login: the password could not be set: chpasswd: (user maker) pam_chauthtok() failed"
    assert apply(settings, ["network.yaml:3: wifi: …"], [], system) == [line]
    assert text(system, f"{IMAGE}/how-in.txt").splitlines()[:2] == ["network.yaml:3: wifi: …", line]
    assert text(system, f"{IMAGE}/authorized_keys") == "ssh-ed25519 A\n"
    assert (system.root / IMAGE / "ssh-on").exists()
    assert "NTP=192.168.1.1" in text(system, "run/systemd/timesyncd.conf.d/brickgate.conf")


def test_a_command_that_fails_says_why_in_one_line(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    assert run(["sh", "-c", f"cat >{taken}"], "maker:x\n") == ""
    assert taken.read_text() == "maker:x\n"
    assert run(["sh", "-c", "echo 'it is'; printf 'so and\nso\n' >&2; exit 1"], "") == "so and so"
    assert run(["sh", "-c", "exit 3"], "") == "sh ended with exit code 3"
    missing = tmp_path / "chpasswd"
    # Emulated by qemu-user, a program that is not there begins and ends with a shell's code for it.
    assert run([str(missing)], "") in (f"{missing}: No such file or directory", f"{missing} ended with exit code 127")
    # One that reads nothing of what it is given.
    assert run(["true"], "x" * 1_000_000) == ""
