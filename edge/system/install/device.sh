# shellcheck shell=bash disable=SC2034
# `sudo ./install.sh`: Brickgate as a service on this machine. Sourced by install.sh, with the other files of this folder.
#
# BRICKGATE_DESTDIR stands before every path of the system: for images and tests.

readonly D="${BRICKGATE_DESTDIR:-}"
readonly OPT="$D/opt/brickgate" ETC="$D/etc/brickgate" VAR="$D/var/lib/brickgate" RUN="$D/run/brickgate"
readonly DEVICE_LOG="$D/var/log/brickgate-install.log" DEVICE_MB=900
readonly SYSTEM_FILES="$ROOT/edge/system" REBOOT_WORD="$D/run/brickgate-restart" # gone with the restart
WHEELS="" OLD="" NEW="" BUILT="" NEEDS_REBOOT="" WARNINGS=()
SWITCHED="" # while `current` points at a version that has not shown that it works
BEFORE=""   # the machine's state before that
TO_RUN=""   # whether the machine is to run at the end
STOPPED=""  # whether its owner had stopped it

install_on_device() {
  local want_update="$1"
  start_device "install${want_update:+ --update}${WHEELS:+ --wheels $WHEELS}"
  check_system
  OLD="$(current_version)"
  [[ -z "$want_update" || -n "$OLD" ]] || refuse "--update: nothing is installed here yet: type 'sudo ./install.sh'"
  take_up_trial
  choose_version
  say_board
  if [[ -n "$BUILT" ]]; then
    say "Version $NEW is installed already"
  else
    make_room
    install_packages
    build_version "$NEW"
  fi
  make_user
  install_drivers
  enable_camera_and_i2c
  place_configuration
  check_health "$NEW" || die "version $NEW does not work here$(old_goes_on): see $DEVICE_LOG"
  check_configuration
  activate
  report_end
}

start_device() {
  [[ -n "$D" || "$(id -u)" == 0 ]] || refuse "installing needs root: type 'sudo ./install.sh'"
  mkdir -p -- "$(dirname -- "$DEVICE_LOG")" "$D/run"
  { : >>"$DEVICE_LOG"; } 2>/dev/null || die "$DEVICE_LOG cannot be written: is the disk read-only?"
  LOG="$DEVICE_LOG"
  NEEDS_REBOOT="$(cat -- "$REBOOT_WORD" 2>/dev/null || true)"
  log "install.sh $1"
  if command -v flock >/dev/null; then
    exec 9>"$D/run/brickgate-install.lock"
    flock -n 9 || die "another install.sh is at work: let it finish first"
  fi
  trap end_device EXIT
  trap 'exit 130' INT TERM
  # A connection that is lost ends nothing half-way: what is begun is judged, and switched back where it fails.
  trap '' HUP PIPE
}

# Whatever ends an installation: what is half made goes, and the version before goes on.
end_device() {
  local code=$?
  [[ -z "$WORK" ]] || rm -rf -- "$WORK"
  if ((code != 0)) && [[ -n "$NEW" ]]; then
    [[ -z "$SWITCHED" ]] || switch_back
    [[ "$NEW" == "$OLD" ]] || rm -rf -- "${OPT:?}/$NEW"
    [[ -z "$OLD" ]] || say "Version $OLD is as it was"
  fi
}

old_goes_on() { [[ -z "$OLD" ]] || printf ', version %s goes on' "$OLD"; }

check_system() {
  local codename="" architecture
  # shellcheck disable=SC1091  # the system's own
  codename="$(. "$D/etc/os-release" 2>/dev/null && printf '%s' "${VERSION_CODENAME:-}")" || true
  case "$codename" in
    bookworm | trixie) ;;
    *) die "this is '${codename:-no Debian}': Raspberry Pi OS or Debian, Bookworm or Trixie, is needed" ;;
  esac
  architecture="$(dpkg --print-architecture)"
  case "$architecture" in
    arm64 | amd64) ;;
    armhf) die "this system is the 32-bit one: flash Raspberry Pi OS (64-bit) and run this again" ;;
    *) die "$architecture is not served: arm64 is needed (amd64 for tests)" ;;
  esac
  say "System: Debian $codename, $architecture"
}

make_room() {
  local free_mb
  mkdir -p -- "$OPT"
  free_mb="$(df -Pm -- "$OPT" | awk 'NR == 2 { print $4 }')"
  ((free_mb >= DEVICE_MB)) || die "$free_mb MB are free in $OPT, $DEVICE_MB are needed: free some, then run this again"
}

make_user() {
  local group
  for group in i2c gpio video plugdev; do
    if ! getent group "$group" >/dev/null; then
      run_logged groupadd --system "$group" || die "the group $group cannot be made: see $DEVICE_LOG"
      printf '%s\n' "$group" >>"$OPT/groups-made"
    fi
  done
  make_account brickgate
  make_account brickgate-status
  run_logged usermod -aG video,i2c,gpio,plugdev brickgate || die "brickgate cannot be put into its groups"
}

make_account() {
  getent passwd "$1" >/dev/null && return
  say "Making the user $1"
  run_logged useradd --system --user-group --home-dir /var/lib/brickgate --no-create-home --shell /usr/sbin/nologin "$1" ||
    die "the user $1 cannot be made: see $DEVICE_LOG"
}

# Whoever has a file here keeps it.
place_configuration() {
  local name driver=""
  mkdir -p -- "$ETC" "$VAR"
  for name in machine.yaml bins.yaml; do
    if [[ -e "$ETC/$name" ]]; then
      log "$ETC/$name is kept"
      continue
    fi
    say "Writing /etc/brickgate/$name"
    [[ "$name" != machine.yaml ]] || driver="$(accelerator_driver)"
    sed "s/^  driver: auto .*/  driver: $driver/" "$SYSTEM_FILES/etc/$name" >"$ETC/.$name.part"
    chmod 0644 "$ETC/.$name.part"
    mv -- "$ETC/.$name.part" "$ETC/$name"
  done
  [[ -n "$D" ]] || chown brickgate:brickgate "$VAR"
  chmod 0750 "$VAR"
}

run_logged() {
  log "$*"
  "$@" >>"$LOG" 2>&1 9>&-
}

# warn WORDS: said at once, and again at the end, where it is read.
warn() {
  say "WARNING: $*"
  WARNINGS+=("$*")
}

need_reboot() {
  [[ "$NEEDS_REBOOT" == *"$1"* ]] || NEEDS_REBOOT+="${NEEDS_REBOOT:+ and }$1"
  printf '%s' "$NEEDS_REBOOT" >"$REBOOT_WORD"
}

report_end() {
  local warning
  for warning in "${WARNINGS[@]}"; do
    say "WARNING: $warning"
  done
  [[ -z "$TO_RUN" ]] || say_state
  if [[ -n "$NEEDS_REBOOT" ]]; then
    say "Ready. Restart once, for $NEEDS_REBOOT: sudo reboot"
  else
    say "Ready. How it does: brickgate doctor, http://$(uname -n).local, journalctl -u brickgate"
  fi
}

uninstall_device() {
  local group packages
  start_device uninstall
  [[ -e "$OPT" || -e "$D/etc/systemd/system/brickgate.service" ]] || { say "Nothing is installed"; return; }
  say "Stopping the service"
  remove_units
  rm -f -- "$D/usr/local/bin/brickgate" "$D/usr/local/bin/brickgate-calibrate" "$D/etc/modules-load.d/brickgate.conf"
  if [[ -e "$OPT/groups-made" ]]; then
    while read -r group; do
      run_logged groupdel "$group" || true
    done <"$OPT/groups-made"
  fi
  packages="$(packages_of_ours)"
  rm -f -- "$CORAL_LIST" "$CORAL_KEYRING" "${CORAL_KEYRING%.gpg}.asc"
  rm -rf -- "$OPT" "$RUN"
  [[ -n "$D" || ! -e "$VAR" ]] || chown -R root:root "$VAR"
  for group in brickgate brickgate-status; do
    ! getent passwd "$group" >/dev/null || run_logged userdel "$group" || true
    ! getent group "$group" >/dev/null || run_logged groupdel "$group" || true
  done
  LOG=/dev/null
  rm -f -- "$DEVICE_LOG" "$D/run/brickgate-install.lock" "$REBOOT_WORD"
  say "Removed. What is yours is still there: /etc/brickgate and /var/lib/brickgate (I2C and camera stay enabled)"
  [[ -z "$packages" ]] || say "Its Debian packages are there too; to remove them: sudo apt-get remove $packages"
}
