"""Every file that the image lays over Debian: units that exist, scripts that parse, promises that are kept."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from edge.config import load, report
from edge.system.image.accounts import MEMBERSHIPS, NEW_GROUPS, USERS, add_accounts

SYSTEM = Path(__file__).parents[2] / "edge" / "system"
IMAGE = SYSTEM / "image"
LAYER = IMAGE / "layer"
UNITS = [
    *LAYER.glob("usr/lib/systemd/system/brickgate-*"),
    SYSTEM / "brickgate-status.service",
    SYSTEM / "brickgate-status.socket",
]
SCRIPTS = [IMAGE / "build.sh", IMAGE / "root.sh", IMAGE / "init", *LAYER.glob("usr/sbin/*")]


def read_unit(file: Path) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(file)
    return unit


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_are_clean_and_can_be_run(script: Path) -> None:
    # `install.sh --test` puts it beside its Python, which need not be on the path.
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    shellcheck = shutil.which("shellcheck", path=places)
    if shellcheck is None:
        pytest.skip("shellcheck is not installed")
    shell = "bash" if "bash" in script.read_text().splitlines()[0] else "sh"
    result = subprocess.run([shellcheck, "-s", shell, script], check=False, capture_output=True, text=True)
    assert result.stdout == ""
    assert script.stat().st_mode & 0o111


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_parse_and_start_what_is_there(unit: Path) -> None:
    read = read_unit(unit)
    assert read["Unit"]["Description"]
    kind = unit.suffix[1:].capitalize()
    assert read.has_section(kind)
    command = read.get(kind, "ExecStart", fallback="").split(" ")[0]
    if command.startswith("/usr/sbin/brickgate") or command == "/usr/sbin/slot":
        assert (LAYER / command[1:]).is_file()


def _in_units_txt(action: str) -> set[str]:
    lines = [line.split() for line in (IMAGE / "units.txt").read_text().splitlines() if line and line[0] != "#"]
    return {unit for word, unit in lines if word == action}


def test_every_unit_that_wants_to_start_is_enabled() -> None:
    wanting = {unit.name for unit in UNITS if read_unit(unit).has_section("Install")}
    assert wanting <= _in_units_txt("enable")


def test_units_that_are_enabled_are_ours_or_the_packages() -> None:
    packaged = {"systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service",
                "avahi-daemon.service", "ssh.service"}  # fmt: skip
    ours = {unit.name for unit in UNITS} | {file.name for file in SYSTEM.glob("*.service")}
    assert _in_units_txt("enable") <= packaged | ours


def test_nothing_is_asked_outside_and_ssh_is_off_until_somebody_is_let_in() -> None:
    for unit, condition in (
        ("ssh.service.d", "/run/brickgate-image/ssh-on"),
        ("systemd-timesyncd.service.d", "/run/systemd/timesyncd.conf.d/brickgate.conf"),
    ):
        drop_in = read_unit(LAYER / "etc/systemd/system" / unit / "brickgate.conf")
        assert drop_in["Unit"]["ConditionPathExists"] == condition
    resolved = read_unit(LAYER / "etc/systemd/resolved.conf.d/brickgate.conf")["Resolve"]
    assert (resolved["LLMNR"], resolved["MulticastDNS"], resolved["FallbackDNS"]) == ("no", "no", "")
    assert "PermitRootLogin no" in (LAYER / "etc/ssh/sshd_config.d/brickgate.conf").read_text()


def test_the_status_page_listens_to_the_local_network_as_nobody() -> None:
    socket = read_unit(SYSTEM / "brickgate-status.socket")["Socket"]
    service = read_unit(SYSTEM / "brickgate-status.service")["Service"]
    assert socket["ListenStream"] == "0.0.0.0:80"
    for section in (socket, service):
        assert section["IPAddressDeny"] == "any"
        assert set(section["IPAddressAllow"].split()) == {
            "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
        }  # fmt: skip
    assert service["User"] == "brickgate-status"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"
    assert "ReadWritePaths" not in service


def test_logs_are_bounded() -> None:
    journal = read_unit(LAYER / "etc/systemd/journald.conf.d/brickgate.conf")["Journal"]
    assert (journal["SystemMaxUse"], journal["RuntimeMaxUse"]) == ("48M", "16M")


def test_the_log_lets_go_of_var_at_power_off_after_the_machine_has_said_its_last_word() -> None:
    flush = read_unit(LAYER / "etc/systemd/system/systemd-journal-flush.service.d/brickgate.conf")["Unit"]
    assert flush["Conflicts"] == flush["Before"] == "shutdown.target"
    # The flush is before this one, so that stopping goes the other way: the machine, this one, the log.
    assert "systemd-tmpfiles-setup.service" in read_unit(SYSTEM / "brickgate.service")["Unit"]["After"].split()


def test_the_network_lets_go_of_its_folder_before_that_is_unmounted() -> None:
    drop_in = read_unit(LAYER / "etc/systemd/system/systemd-networkd.service.d/brickgate.conf")["Unit"]
    assert drop_in["After"] == "var-lib-systemd.mount"


def test_the_files_of_the_boot_partition_are_valid_there(tmp_path: Path) -> None:
    build = (IMAGE / "build.sh").read_text()
    (written,) = re.findall(r"""(sed '[^']+' "\$here/\.\./etc/machine\.yaml" >"\$1/machine\.yaml")""", build)
    (copied,) = re.findall(r"""(cp "\$here/\.\./etc/bins\.yaml" "\$1/")""", build)

    subprocess.run(["bash", "-ec", f"here={IMAGE}; set -- {tmp_path}; {written}; {copied}"], check=True)

    assert load.load_machine(tmp_path / "machine.yaml").accelerator.driver == "cpu"
    assert not report.errors(report.check(tmp_path / "machine.yaml", tmp_path / "bins.yaml"))
    names = {file.name for file in (IMAGE / "boot").iterdir()}
    assert names == {"network.yaml", "README.txt", "config.txt", "usercfg.txt"}


def test_the_pi_starts_slot_a_and_reads_the_users_lines_last() -> None:
    lines = (IMAGE / "boot" / "config.txt").read_text().splitlines()
    assert lines.count("os_prefix=slot-a/") == 1
    assert lines[-1] == "include usercfg.txt"


def test_the_disk_that_init_looks_for_is_the_one_that_is_built() -> None:
    (signature,) = re.findall(r"disk_signature=0x([0-9a-f]{8})", (IMAGE / "build.sh").read_text())
    assert bytes.fromhex(signature)[::-1] == b"brkg"
    assert "= brkg ]" in (IMAGE / "init").read_text()


def test_lists_of_packages_name_each_once() -> None:
    for name in ("packages.txt", "packages-hardware.txt", "packages-debian.txt", "packages-raspberrypi.txt"):
        names = [line for line in (IMAGE / name).read_text().splitlines() if line and not line.startswith("#")]
        assert len(names) == len(set(names)) >= 3
        assert all(re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", package) for package in names)


def _names(file: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in (IMAGE / file).read_text().splitlines())
    return [line for line in lines if line]


def test_what_drives_a_pis_hardware_comes_from_the_archive() -> None:
    """pip is asked for wheels alone, and has none of what picamera2 and rpi-lgpio need."""
    extra = tomllib.loads((SYSTEM.parents[1] / "pyproject.toml").read_text())["project"]["optional-dependencies"]["pi"]
    wanted = {f"python3-{re.split('[><=;]', requirement)[0]}" for requirement in extra}
    assert wanted == set(_names("packages-hardware.txt"))
    assert "[pi]" not in (IMAGE / "build.sh").read_text()


def test_rpi_image_gens_layer_has_the_packages_of_the_lists() -> None:
    text = (IMAGE / "rpi-image-gen/layer/brickgate-root.yaml").read_text()
    layer = yaml.safe_load(text)["mmdebstrap"]
    assert layer["packages"] == [*_names("packages.txt"), *_names("packages-hardware.txt")]
    (hook,) = layer["customize-hooks"]
    assert f"for name in {' '.join(_names('packages-raspberrypi.txt'))}; do" in hook
    assert subprocess.run(["sh", "-n"], input=hook, text=True, check=False).returncode == 0
    assert (name := re.search(r"^# X-Env-Layer-Name: (\S+)$", text, re.MULTILINE))
    config = yaml.safe_load((IMAGE / "rpi-image-gen/config/brickgate-root.yaml").read_text())
    assert config["layer"] == [name[1]]


def test_accounts_are_added_once_with_fixed_numbers_and_no_password(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (tmp_path / "shadow").write_text("root:*:20000:0:99999:7:::\n")
    (tmp_path / "group").write_text("root:x:0:\nvideo:x:44:\nsudo:x:27:\n")
    (tmp_path / "gshadow").write_text("root:*::\nvideo:!::\nsudo:!::\n")
    add_accounts(tmp_path, 86400 * 20000)
    first = {file.name: file.read_text() for file in tmp_path.iterdir()}
    add_accounts(tmp_path, 86400 * 20000)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == first
    assert "maker:x:1000:1000:whoever logs in:/home/maker:/bin/bash\n" in first["passwd"]
    assert "maker:*:20000:0:99999:7:::\n" in first["shadow"]
    assert "video:x:44:brickgate,maker\n" in first["group"]
    assert "sudo:x:27:maker\n" in first["group"]
    assert len({number for _, number, *_ in USERS} | set(NEW_GROUPS.values())) == len(USERS) + len(NEW_GROUPS)
    assert set(MEMBERSHIPS) <= {name for name, *_ in USERS}
