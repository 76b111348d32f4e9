#!/usr/bin/env bash
# Starts a fresh root of Debian with its own systemd as process 1, in namespaces of this machine, and lives through what
# a service lives through there: `install.sh`, missing devices, sorting, a hang, crashes, a good and a sick update,
# switching off, a new start, uninstalling. No network but its own 127.0.0.1.
#
#   booted.sh WORK [SUITE …]      such as bookworm trixie
#
# ROOTS_WHEELS is a folder of wheels for this machine: BRICKGATE_WHEELS_FOR=x86_64 ./install.sh --fetch-wheels FOLDER.
# Needs root, mmdebstrap and cgroup2. BOOTED_RECORDING is a folder of tests/image/recording.py's; without it one is made.
# shellcheck disable=SC2317,SC2329  # steps are called by their names
set -euo pipefail

PROJECT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)"
WORK="$(realpath -m -- "${1:?booted.sh WORK [SUITE …]}")"
readonly PROJECT WORK STATE=/run/brickgate/state.json
# shellcheck source=tests/install/fresh_root.sh
source "$PROJECT/tests/install/fresh_root.sh"
shift
SUITES=("$@")
((${#SUITES[@]})) || SUITES=(bookworm trixie)
INIT="" GROUP="" UNSHARED=""

# --- The machine -------------------------------------------------------------------------------------------------

# What becomes process 1: file systems of its own, /sys and /proc/sys for reading alone, so that nothing in it can change
# the machine outside.
# shellcheck disable=SC2016  # its own words
readonly BOOT='set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for node in null:3 zero:5 full:7 random:8 urandom:9 console:3; do mknod -m 666 "dev/${node%:*}" c 1 "${node#*:}"; done
mknod -m 666 dev/tty c 5 0
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 tmpfs run
pivot_root . mnt
umount -l /mnt
exec /usr/bin/env -i container=namespaces PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd'

power_on() {
  GROUP="$(findmnt -rn -t cgroup2 -o TARGET | head -n 1)/brickgate-booted.$$"
  mkdir -p -- "$GROUP"
  (
    echo "$BASHPID" >"$GROUP/cgroup.procs"
    exec unshare --fork --kill-child --pid --mount --uts --ipc --cgroup --net -- bash -c "$BOOT" boot "$ROOT"
  ) &
  UNSHARED=$!
  within 120 is_up || return 1
}

is_up() {
  INIT="$(pgrep -P "$UNSHARED")" && [[ "$(cat "/proc/$INIT/comm")" == systemd ]] &&
    [[ "$(inside systemctl is-system-running)" =~ ^(running|degraded)$ ]]
}

inside() {
  nsenter -t "$INIT" --mount --uts --ipc --net --pid --cgroup -- /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root LANG=C.UTF-8 "$@"
}

power_off() {
  inside systemctl poweroff
  within 120 has_ended
}

has_ended() { ! kill -0 "$UNSHARED" 2>/dev/null; }

tidy_up() {
  [[ -z "$UNSHARED" ]] || kill -9 "$UNSHARED" 2>/dev/null || true # Its child, process 1, goes with it.
  [[ -z "$GROUP" ]] || { sleep 1 && find "$GROUP" -depth -type d -exec rmdir {} + 2>/dev/null; } || true
  remove_root
}

# --- Looks at it -------------------------------------------------------------------------------------------------

# within SECONDS COMMAND…: asks once a second until it holds.
within() {
  local until_s=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < until_s)) || return 1
    sleep 1
  done
}

# The file outlives a process that was killed: what sorts is also up.
is_sorting() { is_state sorting && [[ "$(of_service ActiveState)" == active ]]; }

is_state() { inside cat "$STATE" 2>/dev/null | grep -c "\"state\": \"$1\"" >/dev/null; }

of_service() { inside systemctl show -P "$1" brickgate.service; }

page() {
  inside python3 -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1/state.json", timeout=60).read().decode())'
}

# says WORDS: on the page, in the journal, and at the console before any login.
says() {
  page | grep -cF -- "$1" && inside journalctl -u brickgate -b --no-pager | grep -cF -- "$1" &&
    grep -cF -- "$1" <<<"$(inside cat /run/issue.d/brickgate.issue)"
}

version() { readlink -- "$ROOT/opt/brickgate/current"; }

# --- The steps ---------------------------------------------------------------------------------------------------

installs() {
  inside /project/install.sh --wheels /wheels && inside systemctl is-enabled brickgate.service brickgate-status.socket
}

# This is no Pi: nothing that machine.yaml names is there.
stands_still_without_devices() { within 120 is_state safe-mode && says 'starts in 10 minutes failed' && [[ "$(of_service ActiveState)" == active ]]; }

sorts() {
  local frame copy example=/project/edge/config/examples/beginner-4
  mkdir -p -- "$ROOT/srv/belt"
  for copy in 0 1 2 3 4 5 6 7 8 9; do
    for frame in "$RECORDING"/*.jpg; do
      cp -- "$frame" "$ROOT/srv/belt/$copy-$(basename -- "$frame")"
    done
  done
  cp -- "$ROOT$example/bins.yaml" "$ROOT/etc/brickgate/bins.yaml"
  sed -e '0,/driver: sim .*/s//driver: frames/' -e 's#^camera:#camera:\n  path: /srv/belt#' \
    "$ROOT$example/machine.yaml" >"$ROOT/etc/brickgate/machine.yaml"
  inside systemctl restart brickgate && within 120 is_sorting && within 120 has_parts
}

has_parts() { page | grep -c '"part_id"' >/dev/null; }

# Fed: no restart in twice the time that systemd waits, and a word in the last seconds.
feeds_the_watchdog() {
  local before after
  before="$(of_service WatchdogTimestampMonotonic)"
  sleep 20 # Twice what systemd waits.
  after="$(of_service WatchdogTimestampMonotonic)"
  is_sorting && ((after - before > 15000000)) && [[ "$(of_service NRestarts)" == 0 && "$(of_service WatchdogUSec)" == 10s ]]
}

# Cameras that play a recording take no real-time priority: that its threads may take it (CAP_SYS_NICE) is looked at.
may_what_it_needs() {
  local main
  main="$(of_service MainPID)"
  inside grep -c '^CapEff:.*0000000000800000$' "/proc/$main/status" && [[ "$(inside ps -o user= -p "$main")" == brickg* ]]
}

# A process that does not get on at all, as where a library holds the interpreter.
is_started_again_after_a_hang() {
  local main
  main="$(of_service MainPID)"
  inside kill -STOP "$main"
  within 60 is_another_than "$main" && within 120 is_sorting &&
    inside journalctl -u brickgate --no-pager | grep -c 'Watchdog timeout'
}

is_another_than() { (($(of_service MainPID) > $1)); }

only_the_page_listens() { diff <(inside ss -Hlntu | awk '{ print $1, $5 }' | sort -u) <(echo "tcp 0.0.0.0:80"); }

stops_in_good_order() {
  inside systemctl stop brickgate && is_state stopped && [[ "$(of_service Result)" == success ]] &&
    inside systemctl start brickgate && within 120 is_sorting
}

# Before the machine runs a stop ends the program otherwise.
stops_while_it_starts() {
  inside systemctl --no-block restart brickgate && within 20 is_starting && inside systemctl stop brickgate &&
    [[ "$(of_service ActiveState)" == inactive ]] && ! is_state safe-mode && inside systemctl start brickgate &&
    within 120 is_sorting
}

is_starting() { is_state starting && [[ "$(of_service ActiveState)" == activating ]]; }

# Killed again and again: started again after 2 s, longer and longer where systemd can; then safe mode, with the reason.
stands_still_after_crashes() {
  local main
  for _ in 1 2 3 4; do
    within 120 is_sorting || return 1
    main="$(of_service MainPID)"
    inside kill -KILL "$main"
    within 120 is_another_than "$main" || return 1
  done
  within 120 is_state safe-mode && says "4 starts in 10 minutes failed" && inside systemctl restart brickgate &&
    within 120 is_sorting
}

# As somebody who puts one mistake right after another; systemd would count them as a program that cannot be started.
may_be_started_often() {
  for _ in 1 2 3 4 5 6 7 8 9; do
    inside systemctl restart brickgate && within 120 is_sorting || return 1
  done
}

shows_a_bad_configuration() {
  cp -- "$ROOT/etc/brickgate/machine.yaml" "$ROOT/good.yaml"
  sed -i 's/belt_mm_per_s: 100/belt_mm_per_s: fast/' "$ROOT/etc/brickgate/machine.yaml"
  inside systemctl restart brickgate && within 120 is_state safe-mode && page | grep -cF "'fast' is no number" || return 1
  cp -- "$ROOT/good.yaml" "$ROOT/etc/brickgate/machine.yaml" # It starts by itself.
  within 120 is_sorting
}

updates() {
  local before
  before="$(version)"
  printf '\n# a newer version\n' >>"$ROOT/project/edge/run.py"
  inside /project/install.sh --update --wheels /wheels && [[ "$(version)" != "$before" ]] && is_sorting
}

# It sorts simulated parts, as is tried before it is switched to, but not as a service.
switches_back_from_a_sick_update() {
  local before
  before="$(version)"
  printf '\nraise RuntimeError("sick")\n' >>"$ROOT/project/edge/service.py"
  ! inside /project/install.sh --update --wheels /wheels && [[ "$(version)" == "$before" ]] && within 120 is_sorting
}

# Switched off while it sorts: in good order, and as before when it is switched on again.
survives_power_off() {
  local since
  power_off || return 1
  INIT="" UNSHARED="" since="@$(date +%s)"
  power_on && within 120 is_sorting && within 120 has_parts || return 1
  ! inside journalctl -u brickgate --since "$since" --no-pager | grep -c 'the last run was cut off'
}

# Eight starts, then a word that needs no Python.
says_that_it_cannot_be_started() {
  printf '#!/bin/sh\nexit 9\n' >"$ROOT/opt/brickgate/current/bin/brickgate"
  inside systemctl restart brickgate || true
  within 300 is_state safe-mode && grep -cF "cannot be started" <<<"$(inside cat "$STATE")" &&
    [[ "$(of_service ActiveState)" == failed ]]
}

uninstalls() {
  inside /project/install.sh --uninstall && ! inside systemctl cat brickgate.service && [[ -z "$(inside ss -Hlntu)" ]] &&
    [[ -e "$ROOT/etc/brickgate/machine.yaml" && -e "$ROOT/var/lib/brickgate/brickgate-journal.jsonl" ]]
}

# --- One machine after another -----------------------------------------------------------------------------------

prepare() {
  local unit
  make_root "$1" "$(dpkg --print-architecture)" "$WORK" "$WORK/booted-$1" && leave_root || return 1
  copy_project
  mkdir -p -- "$ROOT/var/log/journal"
  cp -R -- "${ROOTS_WHEELS:?ROOTS_WHEELS names the folder of wheels}" "$ROOT/wheels"
  : >"$ROOT/etc/machine-id"
  # No terminal, no disks, no modules in namespaces, and nothing of the kernel's own file systems.
  for unit in console-getty.service e2scrub_reap.service systemd-modules-load.service sys-kernel-{debug,tracing}.mount; do
    ln -s /dev/null "$ROOT/etc/systemd/system/$unit"
  done
  # Its shares of the processor hold among its own services; on a busy machine the last one of them gets none of it.
  mkdir -p -- "$ROOT/etc/systemd/system/brickgate-status.service.d"
  printf '[Service]\nNice=0\n' >"$ROOT/etc/systemd/system/brickgate-status.service.d/busy.conf"
}

try() {
  begin_steps "$SUITE" "$WORK/booted-$SUITE.log"
  step "fresh root" prepare "$SUITE"
  step "systemd is up" power_on
  [[ -n "$INIT" ]] || return 0
  step "install" installs
  step "no camera, no motor: stands still and says so" stands_still_without_devices
  step "sorts" sorts
  step "the watchdog is fed" feeds_the_watchdog
  step "may take real-time priority and no other right, under a user of its own" may_what_it_needs
  step "a hang: started again" is_started_again_after_a_hang
  step "only the page listens" only_the_page_listens
  step "stops in good order" stops_in_good_order
  step "stops while it starts" stops_while_it_starts
  step "crashes: stands still and says so" stands_still_after_crashes
  step "a bad configuration: says its line, starts when it is good" shows_a_bad_configuration
  step "started nine times in ten minutes" may_be_started_often
  step "update" updates
  step "a sick update: switched back" switches_back_from_a_sick_update
  step "switched off and on" survives_power_off
  step "a program that cannot begin" says_that_it_cannot_be_started
  step "uninstall" uninstalls
  step "switched off" power_off
}

make_recording() {
  local python="$PROJECT/.venv/bin/python"
  RECORDING="${BOOTED_RECORDING:-$WORK/recording}"
  [[ -x "$python" ]] || python=python3
  [[ -e "$RECORDING/0.jpg" ]] || (cd -- "$PROJECT" && "$python" tests/image/recording.py "$RECORDING")
}

main() {
  mkdir -p -- "$WORK"
  make_recording
  trap tidy_up EXIT
  for SUITE in "${SUITES[@]}"; do
    try
    tidy_up
    INIT="" UNSHARED="" GROUP=""
  done
  exit "$FAILED"
}

main # One word: bash reads no more of this file while it runs.
