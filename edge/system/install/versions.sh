# shellcheck shell=bash disable=SC2034
# Versions side by side in /opt/brickgate, `current` pointing at one of them. Sourced by install.sh.

readonly UNITS=(brickgate.service brickgate-failed.service brickgate-status.service brickgate-status.socket)
readonly UNIT_FOLDER="$D/etc/systemd/system" COMPLETE=.complete
readonly TRIAL="$OPT/.trial"
readonly HEALTHY_WITHIN_S="${BRICKGATE_HEALTHY_WITHIN_S:-90}"

# The version in pyproject.toml and what the files hold: two states of one source are two versions.
source_version() {
  local number hash
  number="$(sed -n 's/^version = "\(.*\)"/\1/p' "$ROOT/pyproject.toml" | head -n 1)"
  hash="$(cd -- "$ROOT" && find edge calibration pyproject.toml install.sh -type f ! -name '*.pyc' ! -name '.*.part' \
    ! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c -8)"
  printf '%s-%s' "${number:-0}" "$hash"
}

current_version() { readlink -- "$OPT/current" 2>/dev/null || true; }

# A system's upgrade to another Python leaves an environment that is all there and does not start.
is_complete() {
  [[ -e "$OPT/$1/$COMPLETE" ]] && is_new_enough "$OPT/$1/bin/python" &&
    timeout 300 "$OPT/$1/bin/brickgate" --help >/dev/null 2>>"$LOG" 9>&-
}

# choose_version: the folder for this source, and whether it is BUILT. Where the current one does not work any more it is
# the folder beside it: a rebuild that fails leaves what is there.
choose_version() {
  local source
  source="$(source_version)"
  NEW="$source"
  [[ "$OLD" != "$source.again" ]] || NEW="$OLD"
  if is_complete "$NEW"; then
    BUILT=yes
  elif [[ "$NEW" == "$OLD" ]]; then
    say "Version $OLD is there, but does not start: it is built anew"
    NEW="$source"
    [[ "$OLD" == "$source.again" ]] || NEW="$source.again"
  fi
}

find_wheel() { find "${WHEELS:-/nonexistent}" -maxdepth 1 -name "$1-*.whl" -print -quit 2>/dev/null | grep .; }

# build_version VERSION: a virtual environment of its own. With the system's packages, for picamera2 and Hailo's library
# are only to be had from there.
build_version() {
  local version="$1" start_s="$SECONDS" sources python wheel from=()
  say "Installing version $version beside ${OLD:-nothing} (a few minutes; what happens is in $DEVICE_LOG)"
  rm -rf -- "${OPT:?}/$version"
  python="$(find_python)" || exit 1
  if "$python" -c 'import ensurepip' 2>/dev/null; then
    run_logged "$python" -m venv --system-site-packages "$OPT/$version" || die "$python made no environment: see $LOG"
  else
    wheel="$(find_wheel pip)" || die "python3-venv is missing: type 'sudo apt-get install python3-venv'"
    run_logged "$python" -m venv --system-site-packages --without-pip "$OPT/$version" ||
      die "$python made no environment: see $LOG"
    run_logged env PYTHONPATH="$wheel" "$OPT/$version/bin/python" -m pip install --no-index "$wheel" ||
      die "pip's wheel could not be installed: see $LOG"
  fi
  # Built from a copy: nothing of root's is left in the user's folder.
  WORK="$(mktemp -d)"
  sources="$WORK/brickgate"
  mkdir -p -- "$sources"
  cp -R -- "$ROOT/edge" "$ROOT/calibration" "$ROOT/pyproject.toml" "$ROOT/README.md" "$ROOT/LICENSE" "$sources"
  if [[ -n "$WHEELS" ]]; then
    from=(--no-index --find-links "$WHEELS")
    pip_install "$OPT/$version" "${from[@]}" "setuptools>=77" wheel
    pip_install "$OPT/$version" "${from[@]}" --no-build-isolation "$sources" smbus2
  else
    pip_install "$OPT/$version" "$sources" smbus2
  fi
  rm -rf -- "$WORK" "$OPT/$version/bin/brickgate-model" # No factory on the device.
  WORK=""
  mkdir -p -- "$OPT/$version/system"
  cp -- "$SYSTEM_FILES"/brickgate* "$SYSTEM_FILES"/*.rules "$SYSTEM_FILES"/*.motd "$OPT/$version/system/"
  : >"$OPT/$version/$COMPLETE"
  say "Installed in $((SECONDS - start_s)) s"
}

# pip_try VENV PACKAGE: 1 where it cannot be had.
pip_try() {
  local from=()
  [[ -z "$WHEELS" ]] || from=(--no-index --find-links "$WHEELS")
  run_logged "$1/bin/python" -m pip install --disable-pip-version-check --no-input "${from[@]}" "$2"
}

# --- Health ------------------------------------------------------------------------------------------------------

# Whether a version works at all, before anything is switched to it: camera picture to bin, simulated, with its model.
check_health() {
  local brickgate="$OPT/$1/bin/brickgate"
  [[ "$OLD" != "$1" ]] || return 0
  say "Trying version $1: three simulated parts"
  run_logged timeout 600 "$brickgate" simulate --parts 3 --json
}

check_configuration() {
  run_logged "$OPT/$NEW/bin/brickgate" check-config "$ETC/machine.yaml" "$ETC/bins.yaml" ||
    warn "/etc/brickgate has errors (brickgate check-config says which): the machine will stand in safe mode"
}

is_systemd_running() { [[ -d "$D/run/systemd/system" ]]; }

state() { sed -n 's/.*"state": "\([a-z-]*\)".*/\1/p' "$RUN/state.json" 2>/dev/null || true; }

reason() { sed -En 's/.*"reason": "(([^"\]|\\.)*)".*/\1/; T; s/\\(.)/\1/g; p' "$RUN/state.json" 2>/dev/null || true; }

say_state() {
  local state reason
  state="$(state)" reason="$(reason)"
  say "The service is up: ${state:-it has not said yet how it does}${reason:+: $reason}"
}

# activate: `current` and the units become the new version's. Where the running machine does not come back as it was,
# the old version is put back.
activate() {
  decide_whether_it_runs
  if [[ -z "$SWITCHED" && "$OLD" == "$NEW" ]]; then
    keep_version
    return
  fi
  [[ -n "$SWITCHED" ]] || BEFORE="$(state)"
  SWITCHED=yes
  if [[ -n "$TO_RUN" ]]; then
    try_in_earnest
  else
    switch_to "$NEW"
    ! is_systemd_running || run_logged systemctl try-restart brickgate-status.service || true
  fi
  end_trial
  prune
}

# A machine that its owner has stopped moves nothing because of an update.
decide_whether_it_runs() {
  [[ -z "$OLD" || -n "$SWITCHED" || "$(systemctl is-active brickgate.service 2>/dev/null)" != inactive ]] || STOPPED=yes
  if ! is_systemd_running; then
    say "systemd is not running here: the service starts with the machine"
  elif [[ -n "$NEEDS_REBOOT" && (-n "$STOPPED" || -z "$OLD") ]]; then
    log "the service starts after the restart"
  elif [[ -n "$STOPPED" ]]; then
    say "The service was stopped, and stays so: sudo systemctl start brickgate"
  else
    TO_RUN=yes
  fi
}

# The version is current already: what is missing of its service, or was changed, is put back.
keep_version() {
  is_in_place "$NEW" || switch_to "$NEW"
  [[ -z "$TO_RUN" ]] || run_logged systemctl start brickgate-status.socket brickgate.service ||
    warn "the service does not start: journalctl -u brickgate says why"
}

try_in_earnest() {
  begin_trial
  switch_to "$NEW"
  start_version || die "version $NEW does not become healthy ($(state))"
  comes_back "$BEFORE" || die "version $NEW does not become healthy (before: $BEFORE, now: $(state))"
}

# The mark outlives a power cut between the switch and the judgement. The old version is stopped before it is switched:
# whatever state is read afterwards is the new one's.
begin_trial() {
  printf '%s\n' "$OLD" "$BEFORE" >"$TRIAL.part"
  sync -- "$TRIAL.part" 2>/dev/null || true
  mv -- "$TRIAL.part" "$TRIAL"
  stop_version
}

end_trial() {
  SWITCHED=""
  rm -f -- "$TRIAL"
}

# take_up_trial: a version whose trial was cut off is none to go back to, unless the machine sorts with it by now.
take_up_trial() {
  local old before
  [[ -e "$TRIAL" ]] || return 0
  { read -r old && read -r before; } <"$TRIAL" || true
  if [[ "$old" == "$OLD" || ! -d "$OPT/$old" || "$(state)" == sorting ]]; then
    end_trial
    return
  fi
  say "The trial of version $OLD was cut off: ${old:-nothing} counts as the version before"
  OLD="$old" BEFORE="$before" SWITCHED=yes
}

stop_version() {
  run_logged systemctl stop brickgate.service || true
  rm -f -- "$RUN/state.json" "$RUN/crashes.json"
}

start_version() {
  say "Starting the service"
  run_logged systemctl reset-failed brickgate.service brickgate-status.service || true
  run_logged systemctl --no-block start brickgate.service || return 1
  run_logged systemctl restart brickgate-status.socket ||
    warn "the status page does not start: has another program port 80? systemctl status brickgate-status.socket"
}

# comes_back BEFORE: a machine that sorted must sort again; one that did not must say of itself why.
comes_back() {
  local before="$1" waited=0
  while ((waited < HEALTHY_WITHIN_S)); do
    case "$(state)" in
      sorting) return 0 ;;
      safe-mode) [[ "$before" != sorting ]] && return 0 || return 1 ;;
    esac
    sleep "${BRICKGATE_POLL_S:-1}" 9>&- # The lock is the installer's alone, even where that is killed.
    waited=$((waited + 1))
  done
  return 1
}

# switch_to VERSION: one rename, so that a power cut leaves the one or the other.
switch_to() {
  local version="$1" name
  log "current is now $version"
  ln -sfn -- "$version" "$OPT/.current.part"
  mv -T -- "$OPT/.current.part" "$OPT/current"
  mkdir -p -- "$D/usr/local/bin" "$UNIT_FOLDER"
  for name in brickgate brickgate-calibrate; do
    ln -sfn -- "/opt/brickgate/current/bin/$name" "$D/usr/local/bin/$name"
  done
  install_units "$version"
}

# Where each file of a version's system folder belongs.
unit_places() {
  local name
  for name in "${UNITS[@]}"; do
    printf '%s %s\n' "$name" "$UNIT_FOLDER/$name"
  done
  printf '%s %s\n' brickgate.tmpfiles "$D/etc/tmpfiles.d/brickgate.conf" \
    60-brickgate.rules "$D/etc/udev/rules.d/60-brickgate.rules" \
    50-brickgate.motd "$D/etc/update-motd.d/50-brickgate"
}

is_in_place() {
  local name place
  [[ -L "$D/usr/local/bin/brickgate" && -L "$D/usr/local/bin/brickgate-calibrate" ]] || return 1
  for name in brickgate.service brickgate-status.socket; do
    systemctl is-enabled --quiet "$name" || return 1
  done
  while read -r name place; do
    [[ ! -e "$OPT/$1/system/$name" ]] || unit_text "$OPT/$1/system/$name" | cmp -s - "$place" || return 1
  done < <(unit_places)
}

# unit_text FILE: before 254 systemd warns of three settings at every look; what is said of them goes too.
unit_text() {
  if (($(systemd_version) >= 254)); then
    cat -- "$1"
  else
    sed '/^# systemd 254/d; /^# half a minute/d; /^RestartMode=/d; /^RestartSteps=/d; /^RestartMaxDelaySec=/d' "$1"
  fi
}

install_units() {
  local name place
  say "Installing the service, udev's rules and the console's word"
  while read -r name place; do
    [[ -e "$OPT/$1/system/$name" ]] || continue
    mkdir -p -- "$(dirname -- "$place")"
    unit_text "$OPT/$1/system/$name" >"$place.part"
    chmod --reference="$OPT/$1/system/$name" "$place.part"
    mv -- "$place.part" "$place"
  done < <(unit_places)
  run_logged systemctl enable brickgate.service brickgate-status.socket || die "systemd refuses the units: see $LOG"
  if is_systemd_running; then
    run_logged systemctl daemon-reload || true
    run_logged systemd-tmpfiles --create "$D/etc/tmpfiles.d/brickgate.conf" || true
    run_logged udevadm control --reload-rules || true
    run_logged udevadm trigger --subsystem-match=usb --subsystem-match=i2c-dev --subsystem-match=gpio \
      --subsystem-match=apex || true
  fi
}

systemd_version() { systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p' | grep . || echo 0; }

remove_units() {
  local name place
  if is_systemd_running; then
    run_logged systemctl stop brickgate.service brickgate-status.socket brickgate-status.service || true
  fi
  run_logged systemctl disable brickgate.service brickgate-status.socket || true
  while read -r name place; do
    rm -f -- "$place"
  done < <(unit_places)
  rm -f -- "$D/run/issue.d/brickgate.issue"
  ! is_systemd_running || run_logged systemctl daemon-reload || true
}

# The old version as it was: its link, its units, its service. Called from the way out.
switch_back() {
  if [[ -z "$OLD" ]]; then
    remove_units
    rm -f -- "$OPT/current"
    end_trial
    return
  fi
  say "Switching back to version $OLD"
  ! is_systemd_running || stop_version
  (switch_to "$OLD") || true # What it says, it has said: the rest of the way back is still to be gone.
  end_trial
  ! is_systemd_running || [[ -n "$STOPPED" ]] || start_version ||
    say "WARNING: version $OLD does not start: journalctl -u brickgate"
}

# Of the older versions the last one is kept.
prune() {
  local folder
  for folder in "$OPT"/*/; do
    folder="$(basename -- "$folder")"
    [[ "$folder" == "$NEW" || "$folder" == "$OLD" || -L "$OPT/$folder" || ! -d "$OPT/$folder/bin" ]] || rm -rf -- "${OPT:?}/$folder"
  done
}
