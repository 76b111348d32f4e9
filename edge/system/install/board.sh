# shellcheck shell=bash
# What board and devices are there, and the drivers that fit them. Sourced by device.sh's neighbour install.sh.

readonly CORAL_KEY=https://packages.cloud.google.com/apt/doc/apt-key.gpg
readonly CORAL_LIST="$D/etc/apt/sources.list.d/coral-edgetpu.list" CORAL_KEYRING="$D/usr/share/keyrings/coral.gpg"

board() { cat -- "$D/proc/device-tree/model" 2>/dev/null | tr -d '\0' || true; }

is_pi() { [[ "$(board)" == "Raspberry Pi"* ]]; }

is_pi_5() { [[ "$(board)" == "Raspberry Pi 5"* || "$(board)" == "Raspberry Pi Compute Module 5"* ]]; }

say_board() {
  if is_pi; then
    say "Board: $(board)"
  else
    say "Board: no Raspberry Pi: the service is installed, but camera, GPIO and I2C are not set up"
  fi
  has_coral && say "Accelerator: a Coral is there"
  has_hailo && say "Accelerator: a Hailo is there"
  has_coral || has_hailo || say "Accelerator: neither Coral nor Hailo is there: the CPU does it"
}

has_usb_coral() { has_id usb idVendor:idProduct 1a6e:089a 18d1:9302; }

has_pcie_coral() { has_id pci vendor:device 0x1ac1:0x089a; }

has_coral() { has_usb_coral || has_pcie_coral; }

# Hailo-8 and 8L, by the kernel driver's number for both: edge/hardware/hailo.py serves no other chip of their maker.
has_hailo() { has_id pci vendor:device 0x1e60:0x2864; }

# has_id BUS FILES WANTED…: whether a device of the bus has one of the ids; FILES are joined with colons.
has_id() {
  local device file id names bus="$1" files="$2"
  shift 2
  IFS=: read -ra names <<<"$files"
  for device in "$D/sys/bus/$bus/devices"/*; do
    id=""
    for file in "${names[@]}"; do
      id+=":$(cat -- "$device/$file" 2>/dev/null || true)"
    done
    [[ " $* " != *" ${id#:} "* ]] || return 0
  done
  return 1
}

# --- Packages ----------------------------------------------------------------------------------------------------

package_status() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true; }

is_package_installed() { [[ "$(package_status "$1")" == installed ]]; }

# No pipe into `grep -q`: it ends at its line, apt-cache then dies of SIGPIPE, and with pipefail that reads as "not there".
# In apt's own words, which it has in the user's language too.
is_package_there() {
  local policy
  policy="$(LC_ALL=C apt-cache policy "$1" 2>/dev/null)" && [[ "$policy" == *"Candidate: "[!\(]* ]]
}

# A lock that another apt holds, such as the nightly upgrade, is waited for.
run_apt() { run_logged env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }

# apt_install WHAT PACKAGE…: 1 where that fails, with nothing said. APT_WHY holds apt's own word, and nothing where the
# package is in no archive that it knows.
apt_install() {
  local package missing=() what="$1" before
  APT_WHY=""
  shift
  for package in "$@"; do
    is_package_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  if [[ -z "${APT_UPDATED:-}" && -z "$WHEELS" ]]; then
    APT_UPDATED=yes
    before="$(log_size)"
    run_apt update || UPDATE_WHY="$(apts_word "$before")"
  fi
  for package in "${missing[@]}"; do
    is_package_there "$package" || { APT_WHY="${UPDATE_WHY:-}" && return 1; }
  done
  say "Installing $what: apt-get install ${missing[*]}"
  before="$(log_size)"
  run_apt install -y --no-install-recommends "${missing[@]}" || { APT_WHY="$(apts_word "$before")" && return 1; }
  printf '%s\n' "${missing[@]}" >>"$OPT/packages-installed"
}

apts_word() { logged_since "$1" | grep '^E: ' | tail -n 1 | cut -c -120 || true; }

# What is wrong with a package that apt did not install.
apts_trouble() {
  if [[ -n "$APT_WHY" ]]; then
    printf '%s: apt failed (%s); run this again' "$1" "$APT_WHY"
  else
    printf '%s cannot be had %s' "$1" "$2"
  fi
}

# The packages that apt installed for Brickgate and that are still there, in a line.
packages_of_ours() {
  local package packages=()
  [[ -e "$OPT/packages-installed" ]] || return 0
  while read -r package; do
    ! is_package_installed "$package" || packages+=("$package")
  done < <(sort -u -- "$OPT/packages-installed")
  printf '%s' "${packages[*]}"
}

install_packages() {
  local ensurepip='import ensurepip, venv'
  command -v python3 >/dev/null && python3 -c "$ensurepip" 2>/dev/null && return
  apt_install "Python" python3 python3-venv && return
  find_wheel pip >/dev/null && command -v python3 >/dev/null && return
  [[ -z "$APT_WHY" ]] || die "$(apts_trouble python3-venv)"
  die "python3-venv is missing and apt cannot fetch it: go online once, or put its pip wheel into the folder of wheels"
}

# What the board and its devices need beside Python's packages. None of it missing keeps the rest from being installed:
# the word is said, and `brickgate doctor` says it again.
install_drivers() {
  if is_pi; then
    install_camera
    install_gpio
  fi
  ! has_coral || install_coral
  ! has_hailo || install_hailo
}

install_camera() {
  apt_install "the camera's library" python3-picamera2 ||
    warn "$(apts_trouble python3-picamera2 "here: use Raspberry Pi OS, or go online"): the camera will not work"
}

# RPi.GPIO sees a pin's edges through /sys/class/gpio, where kernels from 6.6 on number the pins otherwise
# (https://github.com/raspberrypi/linux/issues/6037): sensors and encoders need the other library there.
is_rpi_gpio_enough() {
  local major=99 minor=0
  ! is_pi_5 || return 1
  [[ ! -r "$D/proc/sys/kernel/osrelease" ]] || IFS=.+- read -r major minor _ <"$D/proc/sys/kernel/osrelease"
  ((major < 6 || (major == 6 && minor < 6)))
}

# The two libraries share the module name RPi: exactly one.
install_gpio() {
  local python="$OPT/$NEW/bin/python" package=rpi-lgpio
  ! is_rpi_gpio_enough || package=RPi.GPIO
  "$python" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("RPi") is None)' 2>/dev/null &&
    has_gpio_library "$python" "$package" && return
  if [[ "$package" == RPi.GPIO ]]; then
    apt_install "the GPIO library" python3-rpi.gpio && return
    package=rpi-lgpio # It serves the older boards too.
  fi
  apt_install "the GPIO library" "python3-${package,,}" && return
  say "Installing the GPIO library: $package"
  pip_try "$OPT/$NEW" "$package" && return
  if ! is_pi_5 && { has_gpio_library "$python" RPi.GPIO || apt_install "another GPIO library" python3-rpi.gpio; }; then
    warn "$package cannot be had; RPi.GPIO stands in, and sees no edges here: sensors and an encoder will not work"
  else
    warn "$package cannot be had${APT_WHY:+ (apt: $APT_WHY)}: gates, belt and feeder on GPIO will not work"
  fi
}

has_gpio_library() {
  "$1" -c 'import importlib.metadata as m, sys; m.version(sys.argv[1])' "$2" 2>/dev/null
}

install_coral() {
  if coral_install "Coral's library" libedgetpu1-std; then
    ! has_pcie_coral || install_apex
    return
  fi
  rm -f -- "$CORAL_LIST" "$CORAL_KEYRING" "${CORAL_KEYRING%.gpg}.asc"
  warn "$(apts_trouble libedgetpu1-std "now: run this again when online"): the CPU stands in"
}

# coral_install WHAT PACKAGE: from an archive that apt knows, otherwise from Coral's.
coral_install() {
  apt_install "$@" && return
  [[ -z "$WHEELS" && ! -e "$CORAL_LIST" ]] && ! is_package_there "$2" && add_coral_archive &&
    APT_UPDATED="" apt_install "$@"
}

# The PCIe card's kernel driver. It does not build for every kernel (https://github.com/raspberrypi/linux/issues/6799);
# half installed it would be in the way of every apt to come.
install_apex() {
  local trouble="gasket-dkms is installed, but /dev/apex_0 stays away"
  [[ ! -e "$D/dev/apex_0" ]] || return 0
  if coral_install "Coral's kernel driver" gasket-dkms; then
    run_logged modprobe apex || true
    [[ ! -e "$D/dev/apex_0" ]] || return 0
  else
    trouble="$(apts_trouble gasket-dkms here)"
    if [[ "$(package_status gasket-dkms)" == half-* ]]; then
      trouble="gasket-dkms does not build for this kernel"
      run_apt purge -y gasket-dkms || true
    fi
  fi
  warn "$trouble: Coral's card has no kernel driver, the CPU stands in"
}

add_coral_archive() {
  say "Adding Coral's archive: $CORAL_LIST"
  mkdir -p -- "$(dirname -- "$CORAL_LIST")" "$(dirname -- "$CORAL_KEYRING")"
  run_logged "$OPT/$NEW/bin/python" -c 'import sys, urllib.request as r
key = r.urlopen(sys.argv[1], timeout=20).read()
open(sys.argv[2], "wb").write(key)' "$CORAL_KEY" "$CORAL_KEYRING" || return 1
  # apt tells an armoured key from a binary one by the name.
  if head -c 5 -- "$CORAL_KEYRING" | grep -q -- '-----'; then
    mv -- "$CORAL_KEYRING" "${CORAL_KEYRING%.gpg}.asc"
    printf 'deb [signed-by=%s] https://packages.cloud.google.com/apt coral-edgetpu-stable main\n' \
      "${CORAL_KEYRING%.gpg}.asc" >"$CORAL_LIST"
  else
    printf 'deb [signed-by=%s] https://packages.cloud.google.com/apt coral-edgetpu-stable main\n' \
      "$CORAL_KEYRING" >"$CORAL_LIST"
  fi
}

install_hailo() {
  if is_package_installed hailo-all; then
    return
  elif apt_install "Hailo's driver" hailo-all; then
    need_reboot "Hailo's driver"
    return
  fi
  warn "$(apts_trouble hailo-all "here (it is in Raspberry Pi OS's archive)"): the CPU stands in"
}

is_coral_usable() { is_package_installed libedgetpu1-std && { has_usb_coral || [[ -e "$D/dev/apex_0" ]]; }; }

# The driver that machine.yaml is written with: what is there, works, and what the shipped model is compiled for.
accelerator_driver() {
  local served
  served=" $("$OPT/$NEW/bin/python" -c 'from edge.bundle.manifest import load_bundle
print(*load_bundle("universal").accelerators)' 2>>"$LOG" || true) "
  if has_hailo && is_package_installed hailo-all && [[ "$served" == *" hailo"* ]]; then
    printf hailo
  elif is_coral_usable && [[ "$served" == *" edgetpu "* ]]; then
    printf edgetpu
  else
    printf cpu
    { has_coral && [[ "$served" != *" edgetpu "* ]]; } || { has_hailo && [[ "$served" != *" hailo"* ]]; } || return 0
    say "The shipped model is not compiled for this accelerator: the CPU runs it (docs/export.md says how to compile it)"
  fi
}

# --- Camera and I2C ----------------------------------------------------------------------------------------------

enable_camera_and_i2c() {
  local config="$D/boot/firmware/config.txt"
  is_pi || return 0
  if [[ ! -e "$D/etc/modules-load.d/brickgate.conf" ]]; then
    mkdir -p -- "$D/etc/modules-load.d"
    printf 'i2c-dev\n' >"$D/etc/modules-load.d/brickgate.conf"
  fi
  [[ -e "$config" ]] || { warn "there is no /boot/firmware/config.txt: enable I2C and the camera by hand"; return; }
  grep -qE '^dtparam=i2c(_arm)?=on' "$config" || enable_i2c "$config"
  if ! grep -qE '^(camera_auto_detect=1|dtoverlay=(imx|ov|arducam))' "$config"; then
    say "Enabling the camera"
    set_config "$config" camera_auto_detect 1
    need_reboot "the camera"
  fi
}

# raspi-config switches the bus on in the running system too: then no restart is needed.
enable_i2c() {
  say "Enabling I2C"
  if ! command -v raspi-config >/dev/null || ! run_logged raspi-config nonint do_i2c 0; then
    set_config "$1" dtparam=i2c_arm on
  fi
  run_logged modprobe i2c-dev || true
  [[ -e "$D/dev/i2c-1" ]] || need_reboot "I2C"
}

# set_config FILE KEY VALUE: written beside and moved, for a power cut must not leave half a config.txt.
set_config() {
  local file="$1" key="$2" value="$3"
  { grep -v "^#\?$key=" "$file" || true; printf '\n[all]\n%s=%s\n' "$key" "$value"; } >"$file.part"
  sync -- "$file.part" 2>/dev/null || true
  mv -- "$file.part" "$file"
}
