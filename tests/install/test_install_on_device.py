"""`sudo ./install.sh` against a root of its own: every path of the system is under a folder, every command a script
that writes down what it was asked for."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest
from debian_tools import ON_DEVICE

REPOSITORY = Path(__file__).parents[2]
MACHINE = "etc/brickgate/machine.yaml"
HANGS_S = 1800
"""No run takes so long, not even of emulated arm64 on a busy machine: there some take minutes."""
FAKE_PYTHON = r"""#!/usr/bin/env bash
# A Python as far as install.sh can tell. `brickgate` works unless the sources hold the word BROKEN.
echo "python $*" >>"$FAKE_CALLS"
case "$*" in
  *"version_info < (3, 11)"*) exit 0 ;;
  *"import ensurepip"*) exit "${FAKE_NO_ENSUREPIP:-0}" ;;
  *find_spec*) [[ -e "$FAKE_GPIO" ]] ;;
  *importlib.metadata*) grep -qx "${*: -1}" "$FAKE_GPIO" ;;
  *load_bundle*) echo "${FAKE_SERVED:-cpu}" ;;
  *urllib*) exit 1 ;;
  "-m venv "*) for folder; do :; done; mkdir -p "$folder/bin" && cp "$0" "$folder/bin/python" ;;
  "-m pip install "*)
    [[ -z "${FAKE_NO_GPIO:-}" || "$*" != *lgpio* ]] || exit 1
    [[ "${FAKE_PIP_RC:-0}" == 0 ]] || { echo "ERROR: ${FAKE_PIP_SAYS:-no}"; exit 1; }
    for word; do
      if [[ -d "$word/edge" ]]; then
        cat "$word/edge/cli.py" >"${0%/*}/source"
        cp "$FAKE_BRICKGATE" "${0%/*}/brickgate"
        chmod +x "${0%/*}/brickgate"
      fi
    done
    [[ "${*: -1}" != *GPIO* && "${*: -1}" != rpi-lgpio ]] || echo "${*: -1}" >>"$FAKE_GPIO" ;;
esac
"""
FAKE_BRICKGATE = r"""#!/usr/bin/env bash
echo "brickgate $*" >>"$FAKE_CALLS"
! grep -q BROKEN "${0%/*}/source" || exit 1
[[ "$1" != check-config ]] || ! grep -q WRONG "$2"
"""
FAKE = r"""#!/usr/bin/env bash
echo "${0##*/} $*" >>"$FAKE_CALLS"
CONFIG=boot/firmware/config.txt
case "${0##*/} $*" in
  "id -u") echo "${FAKE_UID:-0}" ;;
  "dpkg --print-architecture") echo "${FAKE_ARCHITECTURE:-arm64}" ;;
  "dpkg-query "*)
    ! grep -qsx "${*: -1}" "$FAKE_HALF" || echo half-configured
    grep -qx "${*: -1}" "$FAKE_PACKAGES" && echo installed ;;
  "apt-cache policy "*)
    candidate="(none)"
    [[ " $FAKE_ARCHIVE " != *" $2 "* ]] || candidate=1.0
    # As apt-cache: in the user's language, and more after the candidate than a reader may have waited for.
    [[ "${LC_ALL:-${LANG:-C}}" == C ]] && echo "  Candidate: $candidate" || echo "  Installationskandidat: $candidate"
    for line in {1..2000}; do echo "  1.0 $line http://deb.debian.org/debian bookworm/main" || exit 141; done ;;
  "apt-get "*" update") [[ -z "${FAKE_UPDATE_SAYS:-}" ]] || { echo "$FAKE_UPDATE_SAYS"; exit 100; } ;;
  "apt-get "*" install "*)
    [[ -z "${FAKE_APT_SAYS:-}" ]] || { printf '%s\n' Reading "E: no" "$FAKE_APT_SAYS" "W: old"; exit 100; }
    if [[ "$*" == *gasket-dkms && -n "${FAKE_NO_DKMS:-}" ]]; then
      echo gasket-dkms >"$FAKE_HALF"
      echo "E: Sub-process /usr/bin/dpkg returned an error code (1)"
      exit 100
    fi
    for word; do case "$word" in -* | install | *=*) ;; *) echo "$word" >>"$FAKE_PACKAGES" ;; esac; done ;;
  "apt-get "*" purge -y gasket-dkms") rm "$FAKE_HALF" ;;
  "modprobe apex") [[ -z "${FAKE_APEX:-}" ]] || { mkdir -p "$FAKE_ROOT/dev" && touch "$FAKE_ROOT/dev/apex_0"; } ;;
  "raspi-config nonint do_i2c 0") mkdir -p "$FAKE_ROOT/dev" && echo dtparam=i2c_arm=on >>"$FAKE_ROOT/$CONFIG" ;;
  "modprobe i2c-dev") ! grep -q raspi-config "$FAKE_CALLS" || touch "$FAKE_ROOT/dev/i2c-1" ;;
  "getent "*) grep -qx "$1 $2" "$FAKE_USERS" ;;
  "groupadd "*) echo "group ${*: -1}" >>"$FAKE_USERS" ;;
  "useradd "*) printf 'passwd %s\ngroup %s\n' "${*: -1}" "${*: -1}" >>"$FAKE_USERS" ;;
  "userdel "* | "groupdel "*) sed -i "/ ${*: -1}\$/d" "$FAKE_USERS" ;;
  "systemctl enable "*) [[ -z "${FAKE_REFUSED:-}" ]] && touch "$FAKE_SERVICE.enabled" ;;
  "systemctl disable "*) rm -f "$FAKE_SERVICE.enabled" ;;
  "systemctl is-enabled "*) [[ -e "$FAKE_SERVICE.enabled" ]] ;;
  "systemctl is-active brickgate.service") cat "$FAKE_SERVICE" 2>/dev/null || echo inactive ;;
  "systemctl stop "*) echo inactive >"$FAKE_SERVICE" ;;
  "systemctl restart brickgate-status.socket") exit "${FAKE_PORT_IS_TAKEN:-0}" ;;
  "systemctl --version") echo "systemd ${FAKE_SYSTEMD:-252} (x)" ;;
  "systemctl --no-block start brickgate.service" | "systemctl start "*" brickgate.service")
    echo active >"$FAKE_SERVICE"
    [[ -z "${FAKE_SIGNAL:-}" ]] || kill -s "$FAKE_SIGNAL" "$PPID"
    [[ "${FAKE_SIGNAL:-}" != KILL ]] || exit 1
    state="${FAKE_STATE:-sorting}"
    ! grep -q SICK "$FAKE_ROOT/opt/brickgate/current/bin/source" || state=safe-mode
    mkdir -p "$FAKE_ROOT/run/brickgate"
    echo "{\"state\": \"$state\", \"reason\": \"${FAKE_REASON:-}\"}" >"$FAKE_ROOT/run/brickgate/state.json" ;;
esac
"""
FAKE_FILES = ("FAKE_CALLS", "FAKE_PACKAGES", "FAKE_USERS", "FAKE_GPIO", "FAKE_SERVICE", "FAKE_BRICKGATE", "FAKE_HALF")
FAKES = ("id", "dpkg", "dpkg-query", "apt-cache", "apt-get", "getent", "groupadd", "useradd", "usermod", "userdel",
         "groupdel", "systemctl", "modprobe", "systemd-tmpfiles", "udevadm", "chown")  # fmt: skip


@dataclass
class Pi:
    """A Raspberry Pi for install.sh. `root` is its file system, `project` the checkout, `bin` its whole PATH."""

    root: Path
    project: Path
    bin: Path
    environment: dict[str, str] = field(default_factory=dict)
    terminal: IO[str] | None = None

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.project / "install.sh", *arguments],
            check=False,
            stdout=subprocess.PIPE,
            stderr=self.terminal or subprocess.PIPE,
            text=True,
            env={**self.environment, **environment},
            timeout=HANGS_S,
        )

    def installs(self, *arguments: str, **environment: str) -> str:
        """Runs it, to a good end; what it said."""
        result = self.run(*arguments, **environment)
        assert result.returncode == 0, result.stderr
        return result.stderr

    @property
    def calls(self) -> str:
        file = Path(self.environment["FAKE_CALLS"])
        return file.read_text() if file.exists() else ""

    @property
    def log(self) -> str:
        return (self.root / "var/log/brickgate-install.log").read_text()

    @property
    def version(self) -> str:
        return str((self.root / "opt/brickgate/current").readlink())

    @property
    def versions(self) -> set[str]:
        return {
            path.name for path in (self.root / "opt/brickgate").iterdir() if path.is_dir() and not path.is_symlink()
        }

    def change(self, words: str) -> None:
        """The project as a newer one."""
        with (self.project / "edge/cli.py").open("a") as file:
            file.write(f"# {words}\n")

    def has_kernel(self, release: str) -> None:
        file = self.root / "proc/sys/kernel/osrelease"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(release + "\n")

    def files(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()}


@pytest.fixture
def pi(tmp_path: Path) -> Pi:
    root, project, folder = tmp_path / "root", tmp_path / "my project", tmp_path / "bin"
    for made in (root / "etc", root / "boot/firmware", root / "proc/device-tree", root / "run/systemd/system", folder):
        made.mkdir(parents=True)
    (root / "etc/os-release").write_text("VERSION_CODENAME=bookworm\n")
    (root / "proc/device-tree/model").write_text("Raspberry Pi 4 Model B Rev 1.4\0")
    (root / "boot/firmware/config.txt").write_text("camera_auto_detect=1\n#dtparam=i2c_arm=on\n[all]\n")
    (project / "edge").mkdir(parents=True)
    (project / "calibration").mkdir()
    (project / "edge/cli.py").write_text("# the command line\n")
    for name in ("install.sh", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, project / name)
    shutil.copytree(REPOSITORY / "edge/system", project / "edge/system", ignore=shutil.ignore_patterns("image"))
    for tool in ON_DEVICE:
        where = shutil.which(tool)
        if where is None:
            pytest.skip(f"{tool} is not on this machine")
        (folder / tool).symlink_to(where)
    for name, content in {"python3": FAKE_PYTHON, **dict.fromkeys(FAKES, FAKE)}.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o755)
    files = {name: tmp_path / name.lower() for name in FAKE_FILES}
    files["FAKE_USERS"].write_text("group video\ngroup plugdev\n")
    files["FAKE_PACKAGES"].touch()
    files["FAKE_BRICKGATE"].write_text(FAKE_BRICKGATE)
    return Pi(
        root,
        project,
        folder,
        {
            "PATH": str(folder),
            "BRICKGATE_DESTDIR": str(root),
            "BRICKGATE_POLL_S": "0",
            "FAKE_ROOT": str(root),
            "FAKE_ARCHIVE": "python3-picamera2 python3-rpi.gpio python3-rpi-lgpio hailo-all libedgetpu1-std",
            **{name: str(path) for name, path in files.items()},
        },
    )


def boots_with_i2c(pi: Pi) -> None:
    """Nothing that needs a restart: the service starts at the first installation."""
    (pi.root / "boot/firmware/config.txt").write_text("dtparam=i2c_arm=on\ncamera_auto_detect=1\n")


def restart(pi: Pi) -> None:
    shutil.rmtree(pi.root / "run")
    (pi.root / "run/systemd/system").mkdir(parents=True)


def test_what_apt_has_is_found_in_every_language(pi: Pi) -> None:
    said = pi.installs(LANG="de_DE.UTF-8")
    assert "cannot be had" not in said
    assert "install -y --no-install-recommends python3-picamera2" in pi.calls


def test_one_command_makes_a_service_that_starts_with_the_machine(pi: Pi) -> None:
    said = pi.installs()
    assert "Board: Raspberry Pi 4 Model B Rev 1.4" in said
    assert said.splitlines()[-1] == "Ready. Restart once, for I2C: sudo reboot"
    etc = pi.root / "etc"
    assert (etc / "systemd/system/brickgate.service").is_file()
    assert (etc / "udev/rules.d/60-brickgate.rules").is_file()
    assert (etc / "tmpfiles.d/brickgate.conf").is_file()
    assert "systemctl enable brickgate.service brickgate-status.socket" in pi.calls
    assert (pi.root / "opt/brickgate" / pi.version / "bin/brickgate").exists()
    assert str((pi.root / "usr/local/bin/brickgate").readlink()) == "/opt/brickgate/current/bin/brickgate"
    assert "usermod -aG video,i2c,gpio,plugdev brickgate" in pi.calls
    assert (
        pi.root / "boot/firmware/config.txt"
    ).read_text() == "camera_auto_detect=1\n[all]\n\n[all]\ndtparam=i2c_arm=on\n"
    assert (etc / "modules-load.d/brickgate.conf").read_text() == "i2c-dev\n"
    assert "driver: cpu" in (etc / "brickgate/machine.yaml").read_text()
    assert "useradd" in (pi.root / "var/log/brickgate-install.log").read_text()


def test_every_line_it_says_is_one_and_nothing_is_left_in_the_project(pi: Pi) -> None:
    before = sorted(pi.project.rglob("*"))
    said = pi.installs()
    assert all(0 < len(line) < 200 for line in said.splitlines())
    assert sorted(pi.project.rglob("*")) == before


def test_a_second_run_installs_nothing(pi: Pi) -> None:
    pi.installs()
    (files, calls) = pi.files(), pi.calls
    said = pi.installs()
    assert f"Version {pi.version} is installed already" in said
    assert pi.files() == files
    again = pi.calls[len(calls) :]
    assert not [word for word in ("pip", "apt-get", "useradd", "groupadd", "enable", "stop") if f" {word} " in again]


def test_what_is_mine_is_kept(pi: Pi) -> None:
    (pi.root / "etc/brickgate").mkdir()
    (pi.root / "etc/brickgate/machine.yaml").write_text("mine")
    pi.installs()
    assert (pi.root / "etc/brickgate/machine.yaml").read_text() == "mine"
    assert (pi.root / "etc/brickgate/bins.yaml").read_text().startswith("# Four bins")


@pytest.mark.parametrize(
    ("model", "kernel", "package"),
    [
        ("Raspberry Pi 4 Model B", "6.1.0-40-arm64", "python3-rpi.gpio"),
        # From 6.6 on RPi.GPIO sees no edges, which sensors and encoders need.
        ("Raspberry Pi 4 Model B", "6.5.13-v8", "python3-rpi.gpio"),
        ("Raspberry Pi 4 Model B", "6.6.20+rpt-rpi-v8", "python3-rpi-lgpio"),
        ("Raspberry Pi 4 Model B", "6.12.47+rpt-rpi-v8", "python3-rpi-lgpio"),
        ("Raspberry Pi 5 Model B Rev 1.0", "6.1.0-40-arm64", "python3-rpi-lgpio"),
    ],
)
def test_the_gpio_library_fits_board_and_kernel(pi: Pi, model: str, kernel: str, package: str) -> None:
    (pi.root / "proc/device-tree/model").write_text(model + "\0")
    pi.has_kernel(kernel)
    pi.installs()
    installed = Path(pi.environment["FAKE_PACKAGES"]).read_text().split()
    assert [name for name in installed if "gpio" in name] == [package]


@pytest.mark.parametrize(
    ("there", "archive"), [("RPi.GPIO\n", "python3-picamera2"), ("", "python3-picamera2 python3-rpi.gpio")]
)
def test_a_gpio_library_that_sees_no_edges_stands_in_and_is_said(pi: Pi, there: str, archive: str) -> None:
    pi.has_kernel("6.12.47+rpt-rpi-v8")
    Path(pi.environment["FAKE_GPIO"]).write_text(there)
    said = pi.installs(FAKE_ARCHIVE=archive, FAKE_NO_GPIO="1")
    assert "WARNING: rpi-lgpio cannot be had; RPi.GPIO stands in, and sees no edges here" in said


def test_a_pi_5_has_no_other_gpio_library(pi: Pi) -> None:
    (pi.root / "proc/device-tree/model").write_text("Raspberry Pi 5 Model B Rev 1.0\0")
    said = pi.installs(FAKE_ARCHIVE="python3-picamera2 python3-rpi.gpio", FAKE_NO_GPIO="1")
    assert "WARNING: rpi-lgpio cannot be had: gates, belt and feeder on GPIO will not work" in said
    assert "python3-rpi.gpio" not in Path(pi.environment["FAKE_PACKAGES"]).read_text()


def test_without_apts_package_the_gpio_library_comes_from_pip(pi: Pi) -> None:
    pi.installs(FAKE_ARCHIVE="python3-picamera2")
    assert "pip install --disable-pip-version-check --no-input rpi-lgpio" in pi.calls


def test_a_port_that_is_taken_keeps_the_machine_from_nothing_and_is_said(pi: Pi) -> None:
    (pi.root / "proc/device-tree/model").unlink()  # A Pi starts the service after a restart.
    said = pi.installs(FAKE_PORT_IS_TAKEN="1")
    assert "WARNING: the status page does not start: has another program port 80?" in said
    assert "The service is up: sorting" in said
    pi.change("newer")
    assert "WARNING" not in pi.installs("--update")


def test_a_restart_that_is_still_to_come_is_said_again(pi: Pi) -> None:
    (pi.root / "boot/firmware/config.txt").write_text("")
    for _ in range(2):
        assert pi.installs().splitlines()[-1] == "Ready. Restart once, for I2C and the camera: sudo reboot"
    restart(pi)
    assert "Restart" not in pi.installs()


def test_i2c_that_is_on_at_once_needs_no_restart(pi: Pi) -> None:
    (pi.bin / "raspi-config").write_text(FAKE)
    (pi.bin / "raspi-config").chmod(0o755)
    said = pi.installs()
    assert "Enabling I2C" in said
    assert "Restart" not in said


def test_no_pi_gets_the_service_and_no_drivers(pi: Pi) -> None:
    (pi.root / "proc/device-tree/model").unlink()
    said = pi.installs()
    assert "Board: no Raspberry Pi" in said
    assert "picamera2" not in pi.calls
    assert "The service is up: sorting" in said


def plug(pi: Pi, bus: str, **files: str) -> None:
    device = pi.root / f"sys/bus/{bus}/devices/1"
    device.mkdir(parents=True)
    for name, value in files.items():
        (device / name).write_text(value + "\n")


def test_a_coral_gets_its_library_and_the_driver_when_the_model_is_compiled_for_it(pi: Pi) -> None:
    plug(pi, "usb", idVendor="18d1", idProduct="9302")
    assert "a Coral is there" in pi.installs(FAKE_SERVED="cpu edgetpu")
    assert "libedgetpu1-std" in Path(pi.environment["FAKE_PACKAGES"]).read_text()
    assert "driver: edgetpu" in (pi.root / "etc/brickgate/machine.yaml").read_text()


def test_a_model_that_is_not_compiled_for_the_coral_runs_on_the_cpu_and_that_is_said(pi: Pi) -> None:
    plug(pi, "pci", vendor="0x1ac1", device="0x089a")
    assert pi.installs().count("The shipped model is not compiled for this accelerator") == 1
    assert "driver: cpu" in (pi.root / "etc/brickgate/machine.yaml").read_text()


@pytest.fixture
def pcie_coral(pi: Pi) -> Pi:
    plug(pi, "pci", vendor="0x1ac1", device="0x089a")
    pi.environment["FAKE_ARCHIVE"] += " gasket-dkms"
    pi.environment["FAKE_SERVED"] = "cpu edgetpu"
    return pi


def driver(pi: Pi) -> str:
    """The accelerator's."""
    found = re.search(r"^accelerator:\n(?:  .*\n)*?  driver: (\S+)", (pi.root / MACHINE).read_text(), re.MULTILINE)
    assert found
    return found[1]


def test_a_coral_in_a_slot_gets_its_kernel_driver(pcie_coral: Pi) -> None:
    said = pcie_coral.installs(FAKE_APEX="1")
    assert "gasket-dkms" in Path(pcie_coral.environment["FAKE_PACKAGES"]).read_text()
    assert "WARNING" not in said
    assert driver(pcie_coral) == "edgetpu"


@pytest.mark.parametrize(("environment", "why"), [
    ({"FAKE_NO_DKMS": "1"}, "gasket-dkms does not build for this kernel"),
    ({"FAKE_ARCHIVE": "python3-picamera2 python3-rpi-lgpio libedgetpu1-std"}, "gasket-dkms cannot be had here"),
    ({}, "gasket-dkms is installed, but /dev/apex_0 stays away"),
])  # fmt: skip
def test_a_coral_without_its_kernel_driver_leaves_it_to_the_cpu(
    pcie_coral: Pi, environment: dict[str, str], why: str
) -> None:
    said = pcie_coral.installs(**environment)
    assert f"WARNING: {why}: Coral's card has no kernel driver, the CPU stands in" in said
    assert "is not compiled" not in said
    assert driver(pcie_coral) == "cpu"
    assert not Path(pcie_coral.environment["FAKE_HALF"]).exists()


def test_a_hailo_gets_its_driver_and_a_restart(pi: Pi) -> None:
    plug(pi, "pci", vendor="0x1e60", device="0x2864")
    said = pi.installs(FAKE_SERVED="cpu hailo8l")
    assert "hailo-all" in Path(pi.environment["FAKE_PACKAGES"]).read_text()
    assert "driver: hailo" in (pi.root / "etc/brickgate/machine.yaml").read_text()
    assert said.splitlines()[-1].startswith("Ready. Restart once, for ")


def test_another_chip_of_hailos_is_none_that_can_be_used(pi: Pi) -> None:
    plug(pi, "pci", vendor="0x1e60", device="0x45c4")
    assert "neither Coral nor Hailo is there" in pi.installs(FAKE_SERVED="cpu hailo8l")
    assert "hailo-all" not in Path(pi.environment["FAKE_PACKAGES"]).read_text()
    assert "driver: cpu" in (pi.root / "etc/brickgate/machine.yaml").read_text()


@pytest.mark.parametrize(("bus", "ids", "word"), [
    ("pci", {"vendor": "0x1e60", "device": "0x2864"}, "hailo-all cannot be had here"),
    ("usb", {"idVendor": "1a6e", "idProduct": "089a"}, "libedgetpu1-std cannot be had now"),
])  # fmt: skip
def test_a_driver_that_cannot_be_had_is_a_plain_word(pi: Pi, bus: str, ids: dict[str, str], word: str) -> None:
    plug(pi, bus, **ids)
    said = pi.installs(FAKE_ARCHIVE="python3-picamera2 python3-rpi.gpio")
    assert word in said
    assert "Ready." in said
    assert not list(pi.root.glob("etc/apt/sources.list.d/*"))


def test_apts_own_trouble_is_told_as_such_and_every_warning_again_at_the_end(pi: Pi) -> None:
    boots_with_i2c(pi)
    plug(pi, "pci", vendor="0x1e60", device="0x2864")
    lock = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr)"
    said = pi.installs(FAKE_APT_SAYS=lock)
    warnings = [
        f"WARNING: python3-picamera2: apt failed ({lock}); run this again: the camera will not work",
        f"WARNING: hailo-all: apt failed ({lock}); run this again: the CPU stands in",
    ]
    assert said.splitlines()[-4:-2] == warnings
    assert [said.count(warning) for warning in warnings] == [2, 2]
    assert "apt-get -q -o DPkg::Lock::Timeout=300 install" in pi.calls


def test_lists_that_apt_cannot_read_are_why_a_package_is_not_there(pi: Pi) -> None:
    said = pi.installs(FAKE_ARCHIVE="", FAKE_UPDATE_SAYS="E: Malformed entry 1 in list file mine.list")
    assert "python3-picamera2: apt failed (E: Malformed entry 1 in list file mine.list)" in said


def test_an_update_is_beside_and_the_version_before_is_kept(pi: Pi) -> None:
    pi.installs()
    first = pi.version
    pi.change("newer")
    pi.installs("--update")
    second = pi.version
    assert {first, second} == pi.versions
    pi.change("newest")
    pi.installs("--update")
    assert pi.versions == {second, pi.version}


def test_a_broken_update_never_touches_the_running_version(pi: Pi) -> None:
    pi.installs()
    first = pi.version
    (files, calls) = pi.files(), pi.calls
    pi.change("BROKEN")
    result = pi.run("--update")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == f"Version {first} is as it was"
    assert pi.version == first
    assert pi.files() == files
    assert "systemctl stop" not in pi.calls[len(calls) :]


def test_a_version_that_does_not_sort_any_more_is_switched_back(pi: Pi) -> None:
    boots_with_i2c(pi)
    pi.installs()
    first = pi.version
    files = pi.files()
    pi.change("SICK")
    result = pi.run("--update")
    assert result.returncode == 1
    assert "does not become healthy (before: sorting, now: safe-mode)" in result.stderr
    assert f"Switching back to version {first}" in result.stderr
    assert pi.version == first
    assert pi.files() == files
    assert '"sorting"' in (pi.root / "run/brickgate/state.json").read_text()


def test_a_machine_that_stood_in_safe_mode_may_be_updated(pi: Pi) -> None:
    boots_with_i2c(pi)
    pi.installs(FAKE_STATE="safe-mode")
    pi.change("newer")
    assert "The service is up: safe-mode" in pi.installs("--update", FAKE_STATE="safe-mode")


@pytest.mark.parametrize(
    "trouble",
    [{"FAKE_STATE": "starting", "BRICKGATE_HEALTHY_WITHIN_S": "3"}, {"FAKE_REFUSED": "1"}],
    ids=["a service that says nothing", "units that systemd refuses"],
)
def test_an_update_that_does_not_start_leaves_the_old_version(pi: Pi, trouble: dict[str, str]) -> None:
    boots_with_i2c(pi)
    pi.installs()
    first = pi.version
    pi.change("newer")
    assert pi.run("--update", **trouble).returncode == 1
    assert (pi.version, pi.versions) == (first, {first})


def test_a_connection_that_is_lost_leaves_no_version_that_was_not_judged(pi: Pi) -> None:
    boots_with_i2c(pi)
    pi.installs()
    first = pi.version
    pi.change("SICK")
    with Path("/dev/full").open("w") as pi.terminal:  # Nothing can be said; and a HUP comes.
        result = pi.run("--update", FAKE_SIGNAL="HUP")
    assert result.returncode == 1
    assert (pi.version, pi.versions) == (first, {first})
    assert '"sorting"' in (pi.root / "run/brickgate/state.json").read_text()
    assert f"Switching back to version {first}" in pi.log


def test_a_connection_that_is_lost_ends_no_good_update(pi: Pi) -> None:
    boots_with_i2c(pi)
    pi.installs()
    first = pi.version
    pi.change("newer")
    with Path("/dev/full").open("w") as pi.terminal:
        assert pi.run("--update", FAKE_SIGNAL="HUP").returncode == 0
    assert pi.version != first


def cut_off_the_trial(pi: Pi, words: str) -> tuple[str, str]:
    """A power cut as the new version starts: the version before it, and it."""
    boots_with_i2c(pi)
    pi.installs()
    first = pi.version
    pi.change(words)
    assert pi.run("--update", FAKE_SIGNAL="KILL").returncode == -9
    assert pi.version != first
    shutil.rmtree(pi.root / "run/brickgate", ignore_errors=True)
    return first, pi.version


def test_a_trial_that_was_cut_off_is_judged_by_the_next_run(pi: Pi) -> None:
    first, second = cut_off_the_trial(pi, "SICK")
    result = pi.run()
    assert result.returncode == 1
    assert f"The trial of version {second} was cut off: {first} counts as the version before" in result.stderr
    assert "does not become healthy (before: sorting, now: safe-mode)" in result.stderr
    assert (pi.version, pi.versions) == (first, {first})
    assert "was cut off" not in pi.run().stderr


def test_a_trial_that_was_cut_off_and_ends_well_is_over(pi: Pi) -> None:
    _, second = cut_off_the_trial(pi, "newer")
    assert "The service is up: sorting" in pi.installs()
    assert pi.version == second
    assert "was cut off" not in pi.installs()


def test_a_failed_build_after_a_trial_that_was_cut_off_goes_back_behind_it(pi: Pi) -> None:
    first, _ = cut_off_the_trial(pi, "newer")
    pi.change("newest")
    assert pi.run("--update", FAKE_PIP_RC="1").returncode == 1
    assert pi.version == first


def test_a_version_that_sorts_has_ended_its_trial(pi: Pi) -> None:
    _, second = cut_off_the_trial(pi, "newer")
    (pi.root / "run/brickgate").mkdir()
    (pi.root / "run/brickgate/state.json").write_text('{"state": "sorting", "reason": ""}')
    pi.change("newest")
    assert pi.run("--update", FAKE_PIP_RC="1").returncode == 1
    assert pi.version == second


def test_the_log_holds_what_was_said(pi: Pi) -> None:
    said = pi.installs(FAKE_ARCHIVE="")
    assert "WARNING" in said
    pi.change("BROKEN")
    said += pi.run().stderr
    assert "does not work here" in said
    assert [line for line in said.splitlines() if line not in pi.log] == []


def test_a_failed_pip_leaves_the_old_version_and_nothing_half_made(pi: Pi) -> None:
    pi.installs()
    first = pi.version
    pi.change("newer")
    result = pi.run(FAKE_PIP_RC="1", FAKE_PIP_SAYS="NewConnectionError")
    assert result.returncode == 1
    assert "no network" in result.stderr
    assert (pi.version, pi.versions) == (first, {first})


def test_a_failed_first_installation_leaves_no_service(pi: Pi) -> None:
    pi.change("BROKEN")
    assert pi.run().returncode == 1
    assert not (pi.root / "opt/brickgate/current").exists()
    assert not (pi.root / "etc/systemd/system/brickgate.service").exists()
    assert "systemctl enable" not in pi.calls


def test_a_half_made_version_is_made_again(pi: Pi) -> None:
    pi.installs()
    (pi.root / "opt/brickgate" / pi.version / ".complete").unlink()
    assert "Installing version" in pi.installs()


def brickgate(pi: Pi) -> Path:
    return pi.root / "opt/brickgate" / pi.version / "bin/brickgate"


def test_a_version_that_does_not_start_any_more_is_built_anew(pi: Pi) -> None:
    boots_with_i2c(pi)
    pi.installs()
    whole, first = brickgate(pi).read_text(), pi.version
    for wanted in (f"{first}.again", first):
        broken = pi.version
        brickgate(pi).write_text("#!/usr/bin/env bash\necho no module named edge >&2; exit 1\n")
        assert f"Version {broken} is there, but does not start" in pi.installs()
        assert (pi.version, brickgate(pi).read_text()) == (wanted, whole)
        assert f"Version {wanted} is installed already" in pi.installs()
    assert "no module named edge" in pi.log


def test_a_failed_rebuild_leaves_what_is_there(pi: Pi) -> None:
    boots_with_i2c(pi)
    pi.installs()
    first = pi.version
    brickgate(pi).write_text("#!/usr/bin/env bash\nexit 1\n")
    files = pi.files()
    assert pi.run(FAKE_PIP_RC="1").returncode == 1
    assert (pi.version, pi.files()) == (first, files)


def test_a_second_run_puts_right_what_was_spoilt_of_the_service(pi: Pi) -> None:
    boots_with_i2c(pi)
    pi.installs()
    unit, enabled = pi.root / "etc/systemd/system/brickgate.service", Path(pi.environment["FAKE_SERVICE"] + ".enabled")
    whole = unit.read_text()
    unit.write_text("")
    pi.installs()
    assert unit.read_text() == whole
    enabled.unlink()
    pi.installs()
    assert enabled.exists()


def test_every_run_looks_at_the_configuration(pi: Pi) -> None:
    pi.installs()
    with (pi.root / "etc/brickgate/machine.yaml").open("w") as file:
        file.write("WRONG")
    assert "WARNING: /etc/brickgate has errors" in pi.installs()


@pytest.mark.parametrize("runs", [1, 2])
def test_it_ends_with_the_state_and_its_reason(pi: Pi, runs: int) -> None:
    boots_with_i2c(pi)
    said = ""
    for _ in range(runs):
        said = pi.installs(FAKE_STATE="safe-mode", FAKE_REASON=r"no camera: is \"cam0\" plugged in?")
    assert said.splitlines()[-2] == 'The service is up: safe-mode: no camera: is "cam0" plugged in?'


@pytest.mark.parametrize("arguments", [("--update",), ()])
def test_a_machine_that_was_stopped_is_not_started(pi: Pi, arguments: tuple[str, ...]) -> None:
    boots_with_i2c(pi)
    pi.installs()
    first, service = pi.version, Path(pi.environment["FAKE_SERVICE"])
    service.write_text("inactive\n")
    if arguments:
        pi.change("newer")
    said = pi.installs(*arguments)
    assert "The service was stopped, and stays so: sudo systemctl start brickgate" in said
    assert "The service is up" not in said
    assert service.read_text() == "inactive\n"
    assert (pi.version != first) == bool(arguments)


def test_from_a_folder_of_wheels_nothing_is_fetched(pi: Pi, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "numpy-2.4.0-cp311.whl").touch()
    pi.installs("--wheels", str(wheels))
    installs = [line for line in pi.calls.splitlines() if "pip install" in line]
    assert installs
    assert all(f"--no-index --find-links {wheels}" in line for line in installs)
    assert not [line for line in pi.calls.splitlines() if line.startswith("apt-get") and line.endswith("update")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--wheels",), "--wheels needs a folder"),
        (("--wheels", ""), "--wheels needs a folder"),
        (("--wheels", "/nowhere"), "--wheels: /nowhere is no folder"),
        (("--wheels", "/nowhere/deep/below"), "--wheels: /nowhere/deep/below is no folder"),
        (("--wheels", "/"), "holds no wheels"),
        (("--update",), "nothing is installed here yet"),
        (("--update", "--fast"), "unknown option '--fast'"),
    ],
)
def test_what_cannot_be_done_is_one_line(pi: Pi, arguments: tuple[str, ...], words: str) -> None:
    result = pi.run(*arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stderr.startswith("install.sh: ") or "System" in result.stderr
    assert not (pi.root / "opt").exists()


@pytest.mark.parametrize(
    ("environment", "codename", "words"),
    [
        ({"FAKE_ARCHITECTURE": "armhf"}, "bookworm", "flash Raspberry Pi OS (64-bit)"),
        ({}, "buster", "Raspberry Pi OS or Debian, Bookworm or Trixie, is needed"),
        ({}, "", "this is 'no Debian'"),
        ({"BRICKGATE_DESTDIR": "", "FAKE_UID": "1000"}, "bookworm", "installing needs root: type 'sudo ./install.sh'"),
    ],
)
def test_what_it_cannot_be_installed_on(pi: Pi, environment: dict[str, str], codename: str, words: str) -> None:
    (pi.root / "etc/os-release").unlink()
    if codename:
        (pi.root / "etc/os-release").write_text(f"VERSION_CODENAME={codename}\n")
    result = pi.run(**environment)
    assert result.returncode != 0
    assert words in result.stderr.splitlines()[-1]
    assert not (pi.root / "opt").exists()


def test_a_full_disk_is_said_before_anything_is_made(pi: Pi) -> None:
    (pi.bin / "df").unlink()
    (pi.bin / "df").write_text("#!/usr/bin/env bash\nprintf 'Filesystem\\n/dev/sda 100 90 10 90%% /\\n'\n")
    (pi.bin / "df").chmod(0o755)
    result = pi.run()
    assert result.returncode == 1
    assert "10 MB are free" in result.stderr
    assert "useradd" not in pi.calls


def test_a_disk_that_fills_is_told_as_the_one_of_the_version(pi: Pi) -> None:
    result = pi.run(FAKE_PIP_RC="1", FAKE_PIP_SAYS="[Errno 28] No space left on device")
    assert f"no space left on the disk that holds {pi.root}/opt/brickgate/" in result.stderr


def test_uninstalling_leaves_the_configuration_and_the_journal(pi: Pi) -> None:
    before = pi.files()
    pi.installs()
    (pi.root / "var/lib/brickgate/brickgate-journal.jsonl").write_text("one part\n")
    pi.installs("--uninstall")
    assert pi.files() - before == {
        "etc/brickgate/machine.yaml",
        "etc/brickgate/bins.yaml",
        "var/lib/brickgate/brickgate-journal.jsonl",
    }
    assert Path(pi.environment["FAKE_USERS"]).read_text() == "group video\ngroup plugdev\n"


def test_uninstalling_names_the_packages_that_were_installed(pi: Pi) -> None:
    Path(pi.environment["FAKE_PACKAGES"]).write_text("python3-picamera2\n")  # The user's own.
    pi.installs()
    last = pi.installs("--uninstall").splitlines()[-1]
    assert last.endswith("to remove them: sudo apt-get remove python3-rpi-lgpio")


def test_uninstalling_what_is_not_there_is_a_word(pi: Pi) -> None:
    pi.installs()
    pi.installs("--uninstall")
    assert "Nothing is installed" in pi.installs("--uninstall")
    assert pi.installs()


def test_systemd_is_spared_what_it_does_not_know(pi: Pi) -> None:
    unit = pi.root / "etc/systemd/system/brickgate.service"
    pi.installs()
    assert "RestartSteps" not in unit.read_text()
    assert "RestartMode" not in unit.read_text()
    assert "half a minute" not in unit.read_text()
    pi.installs("--uninstall")
    pi.installs(FAKE_SYSTEMD="257")
    assert "RestartSteps=4" in unit.read_text()
