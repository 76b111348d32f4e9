# shellcheck shell=bash
# A root of Debian to try things in, of another architecture too. Sourced by roots.sh, booted.sh and arm64_suite.sh.
#
# Needs root, mmdebstrap and, for arm64 on another machine, qemu-user-static with binfmt_misc. ROOTS_CA is a file of
# certificates and ROOTS_PIP_INDEX an index that the root uses, where the network asks for it.

readonly ROOT_PACKAGES=systemd,systemd-sysv,udev,dbus,ca-certificates,python3,procps,kmod,sudo,iproute2
# The Raspberry Pi 4's processor. QEMU's own choice has pointer authentication, which Trixie's programs use at each call
# and which takes QEMU 2.5 times as long, and SVE, which no Raspberry Pi has.
export QEMU_CPU="${QEMU_CPU:-cortex-a72}"
ROOT=""

# shellcheck disable=SC2034  # FAILED is for the caller
LABEL="" STEPS_LOG="" FAILED=0

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }

# begin_steps LABEL LOG: the steps that follow are said under this name, and what they print goes to an empty LOG.
begin_steps() {
  LABEL="$1" STEPS_LOG="$2"
  : >"$STEPS_LOG"
}

# step NAME COMMAND…: one line of the result, and how long it took. One that fails leaves FAILED at 1.
step() {
  local name="$1" start_s="$SECONDS"
  shift
  if "$@" >>"$STEPS_LOG" 2>&1; then
    say "$LABEL: $name: ok, $((SECONDS - start_s)) s"
  else
    say "$LABEL: $name: FAILED (see $STEPS_LOG)"
    # shellcheck disable=SC2034
    FAILED=1
  fi
}

# copy_project: what install.sh needs of PROJECT, to /project in the root.
copy_project() {
  rm -rf -- "$ROOT/project"
  mkdir -p -- "$ROOT/project"
  (cd -- "$PROJECT" && cp -R -- install.sh pyproject.toml README.md LICENSE edge calibration "$ROOT/project")
  find "$ROOT/project" -name __pycache__ -prune -exec rm -rf {} +
}

# make_root SUITE ARCHITECTURE TARS FOLDER: unpacked in FOLDER, which becomes ROOT, from a tar that is kept in TARS.
make_root() {
  local suite="$1" architecture="$2" tar="$3/$1-$2.tar" part="$3/part-$1-$2.tar"
  if [[ ! -s "$tar" ]]; then
    mmdebstrap --architectures="$architecture" --variant=minbase --include="$ROOT_PACKAGES" \
      --aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/doc/*' \
      "$suite" "$part" http://deb.debian.org/debian || return 1
    mv -- "$part" "$tar" || return 1
  fi
  ROOT="$4"
  remove_root
  mkdir -p -- "$ROOT" && tar -xf "$tar" -C "$ROOT" --exclude='./dev/*' && enter_root
}

# enter_root: what of the machine outside a root needs; here again after leave_root.
enter_root() {
  mkdir -p -- "$ROOT/proc" "$ROOT/dev" "$ROOT/run" "$ROOT/etc/ssl/certs" || return 1
  mountpoint -q -- "$ROOT/proc" || mount -t proc proc "$ROOT/proc" || return 1
  mountpoint -q -- "$ROOT/dev" || mount --bind /dev "$ROOT/dev" || return 1
  # In a root it may be a link to a file of systemd's that is not there: cp would not write through it.
  rm -f -- "$ROOT/etc/resolv.conf" && cp -- /etc/resolv.conf "$ROOT/etc/resolv.conf" || return 1
  [[ -z "${ROOTS_CA:-}" ]] || cp -- "$ROOTS_CA" "$ROOT/etc/ssl/certs/ca-certificates.crt"
}

leave_root() { umount -l -- "$ROOT/proc" "$ROOT/dev" 2>/dev/null || true; }

remove_root() {
  [[ -n "$ROOT" && -d "$ROOT" ]] || return 0
  leave_root
  ! mountpoint -q -- "$ROOT/dev" && ! mountpoint -q -- "$ROOT/proc" && rm -rf --one-file-system -- "$ROOT"
}

# inside COMMAND…: in the root; without a network but its own (127.0.0.1) where NO_NETWORK is set.
inside() {
  local isolate=()
  [[ -z "${NO_NETWORK:-}" ]] || isolate=(unshare --net -- sh -c 'ip link set lo up && exec "$@"' sh)
  "${isolate[@]}" chroot "$ROOT" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    QEMU_CPU="$QEMU_CPU" ${ROOTS_CA:+PIP_CERT=/etc/ssl/certs/ca-certificates.crt} \
    ${ROOTS_PIP_INDEX:+PIP_INDEX_URL="$ROOTS_PIP_INDEX"} "$@"
}
