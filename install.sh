#!/usr/bin/env bash
# Without an option: installs Brickgate on this Raspberry Pi, as a service (edge/system/install/).
# With --simulate, --test or --model: installs it into .venv beside this file. Nothing outside this folder is changed
# then, save Mesa's EGL: --test and --model install it with apt where the renderer misses it.
set -euo pipefail
unset CDPATH PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX

ROOT="$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd)"
readonly ROOT
readonly VENV="$ROOT/.venv" TFLITE_VENV="$ROOT/.venv-tflite" BUILD="$ROOT/build"
readonly TORCH="torch==2.13.0" TORCH_CPU_INDEX="https://download.pytorch.org/whl/cpu"
readonly TFLITE_REQUIREMENTS=("tflite-runtime==2.14.0" "numpy<2")
readonly EGL_PACKAGES=(libegl1 libgl1 libgl1-mesa-dri)
readonly BASE_MB=700 MODEL_MB=6000
LOG=/dev/null # until the run has one of its own
WORK="" # a temporary folder, removed on the way out

usage() {
  cat <<'TEXT'
Usage: sudo ./install.sh [--update | --uninstall] [--wheels FOLDER]
       ./install.sh --simulate | --test | --model  [-- MORE…]
       ./install.sh --fetch-wheels FOLDER

On a Raspberry Pi (Raspberry Pi OS or Debian, Bookworm or Trixie), as root:
  (nothing)    install Brickgate as a service that starts with the machine
  --update     the same, over a version that is there: beside it, and back to it by itself when the new one fails
  --uninstall  remove it; the configuration and the journal stay
  --wheels     take Python's packages from a folder, with no network

Anywhere, into this folder:
  --simulate   install the base and run the simulated machine; MORE goes to `brickgate simulate`
  --test       install what the tests need and run them all; MORE goes to pytest
  --model      install what `brickgate-model` needs: PyTorch, TensorFlow, the renderer, LDraw's parts
  --fetch-wheels  fill a folder for --wheels, for arm64 with Python 3.11 and 3.13
  --help       this text

These land in .venv (programs), build/ldraw (LDraw's parts), install.log (what was done). The service's own log is
/var/log/brickgate-install.log. BRICKGATE_PYTHON names the Python to use (3.11 or newer), LDRAWDIR a library of LDraw
parts that is already there.
TEXT
}

# A terminal that is gone stops nothing: what was said is in the log.
say() {
  log "$*"
  printf '%s\n' "$*" >&2 || true
}

die() {
  say "install.sh: $*"
  exit 1
}

refuse() {
  say "install.sh: $*"
  exit 2
}

log() { printf '%s  %s\n' "$(date '+%F %T')" "$*" >>"$LOG" || true; }

log_size() { stat -c %s -- "$LOG"; }

logged_since() { tail -c "+$(($1 + 1))" -- "$LOG"; } # what has come into the log since log_size was $1

# --- Python and its virtual environment ------------------------------------------------------------------------------

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
  local candidate
  if [[ -n "${BRICKGATE_PYTHON:-}" ]]; then
    is_new_enough "$BRICKGATE_PYTHON" || die "BRICKGATE_PYTHON=$BRICKGATE_PYTHON is no Python 3.11 or newer"
    printf '%s' "$BRICKGATE_PYTHON"
    return
  fi
  for candidate in python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  command -v python3 >/dev/null || die "python3 is missing: type 'sudo apt-get install python3', then run this again"
  die "$(python3 -V 2>&1) is too old, Brickgate needs 3.11 or newer: use Debian 12, or set BRICKGATE_PYTHON"
}

is_sound_venv() {
  local venv="$1"
  # The activate script names the folder: one that was moved or copied here has scripts that point elsewhere.
  grep -qsF -- "$venv" "$venv/bin/activate" && is_new_enough "$venv/bin/python" &&
    "$venv/bin/python" -c 'import pip' >/dev/null 2>&1
}

make_venv() {
  local venv="$1" python
  is_sound_venv "$venv" && return
  python="$(find_python)" || exit 1
  log "making $venv with $python"
  rm -rf -- "$venv"
  if "$python" -c 'import ensurepip' 2>/dev/null; then
    "$python" -m venv "$venv" >>"$LOG" 2>&1 || die "$python could not make $venv: see ${LOG##*/}"
    "$venv/bin/python" -m pip uninstall -q -y setuptools >>"$LOG" 2>&1 || true # 10 MB that nothing here imports
  else
    make_venv_without_ensurepip "$venv" "$python"
  fi
}

# Debian keeps pip's wheel in a package of its own; apt can fetch and check it without being root.
make_venv_without_ensurepip() {
  local venv="$1" python="$2" wheel
  command -v apt-get >/dev/null || die "$python has no ensurepip: install your distribution's python3-venv package"
  say "python3-venv is not installed: fetching pip's wheel from Debian instead"
  unpack_deb python3-pip-whl "$BUILD/pip" ""
  wheel="$(find "$BUILD/pip" -name 'pip-*.whl' -print -quit)"
  "$python" -m venv --without-pip "$venv" >>"$LOG" 2>&1 || die "$python could not make $venv: see ${LOG##*/}"
  PYTHONPATH="$wheel" "$venv/bin/python" -m pip install --no-index "$wheel" >>"$LOG" 2>&1 ||
    die "pip's wheel could not be installed: type 'sudo apt-get install python3-venv', then run this again"
}

pip_install() {
  local venv="$1" before
  shift
  log "pip install $*"
  before="$(log_size)"
  (cd -- "$ROOT" && "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --retries 3 "$@") \
    >>"$LOG" 2>&1 || explain_pip "$venv" "$(logged_since "$before")"
}

explain_pip() {
  local venv="$1" words="$2"
  local offline='NewConnectionError|NameResolutionError|name resolution|Max retries|timed out|unreachable'
  if grep -q 'No space left on device' <<<"$words"; then
    die "no space left on the disk that holds $venv, or on that of ${TMPDIR:-/tmp}: free some, then run this again"
  elif grep -qE "$offline" <<<"$words"; then
    die "no network: Python's package index cannot be reached; go online, then run this again (details: ${LOG##*/})"
  fi
  die "pip failed: $(grep -E '^ *(ERROR|error):' <<<"$words" | tail -1 | cut -c -200) (details: ${LOG##*/})"
}

# --- Debian packages -------------------------------------------------------------------------------------------------

# unpack_deb PACKAGE FOLDER SOURCES: apt fetches and checks a package with lists and a cache of its own, so that neither
# root nor a change of the system's sources is needed. Empty SOURCES stand for the system's.
unpack_deb() {
  local package="$1" folder="$2" sources="$3" work
  WORK="$(mktemp -d)"
  work="$WORK"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  cat >"$work/apt.conf" <<CONF
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
CONF
  if [[ -n "$sources" ]]; then
    printf '%s\n' "$sources" >"$work/sources.list"
    printf 'Dir::Etc::sourcelist "%s";\nDir::Etc::sourceparts "-";\n' "$work/sources.list" >>"$work/apt.conf"
  fi
  log "apt-get download $package"
  (cd -- "$work" && export APT_CONFIG="$work/apt.conf" && { apt-get -q update || true; } &&
    apt-get -q download "$package") >>"$LOG" 2>&1 || die "apt could not fetch $package: no network? see ${LOG##*/}"
  rm -rf -- "$folder" "$folder.part"
  mkdir -p "$folder.part"
  dpkg-deb -x "$work/$package"_*.deb "$folder.part" >>"$LOG" 2>&1 || die "$package did not unpack: see ${LOG##*/}"
  mv -- "$folder.part" "$folder"
  rm -rf -- "$work"
}

can_render() {
  "$VENV/bin/python" -c 'import moderngl; moderngl.create_context(standalone=True, backend="egl")' >>"$LOG" 2>&1
}

ensure_egl() {
  local sudo=() command="apt-get install -y --no-install-recommends ${EGL_PACKAGES[*]}"
  can_render && return
  [[ "$(id -u)" == 0 ]] || sudo=(sudo -n)
  say "Installing Mesa's EGL for the renderer: $command"
  "${sudo[@]}" apt-get -q update >>"$LOG" 2>&1 || true
  # shellcheck disable=SC2086  # the command is a list of plain words
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive $command >>"$LOG" 2>&1 ||
    die "the renderer needs EGL, and apt needs root for it: type 'sudo $command', then run this again"
  can_render || die "the renderer finds no OpenGL 3.3 through EGL, though its packages are installed: see ${LOG##*/}"
}

# LDraw's parts are in Debian's non-free; Trixie's package is newer, and only data, so that it unpacks anywhere.
ensure_ldraw() {
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg suite sources=""
  if [[ -z "${LDRAWDIR:-}" && -d /usr/share/ldraw/parts ]]; then
    LDRAWDIR=/usr/share/ldraw
  fi
  export LDRAWDIR="${LDRAWDIR:-$BUILD/ldraw/usr/share/ldraw}"
  [[ -d "$LDRAWDIR/parts" ]] && return
  [[ "$LDRAWDIR" == "$BUILD/"* ]] || die "LDRAWDIR=$LDRAWDIR holds no parts/: point it at an LDraw library, or unset it"
  command -v apt-get >/dev/null && [[ -e "$keyring" ]] ||
    die "LDraw's parts are missing and this is no Debian: unpack complete.zip of ldraw.org and point LDRAWDIR at it"
  for suite in trixie bookworm; do
    sources+="deb [signed-by=$keyring] http://deb.debian.org/debian $suite non-free"$'\n'
  done
  say "Fetching LDraw's parts (67 MB) into build/ldraw"
  unpack_deb ldraw-parts "$BUILD/ldraw" "$sources"
}

# --- What each option installs ---------------------------------------------------------------------------------------

fingerprint() {
  { cat -- "$ROOT/pyproject.toml" "$ROOT/install.sh" && printf '%s\n' "$ROOT" && "$VENV/bin/python" -V; } | sha256sum
}

# What each kind of installation holds: the tests' holds everything.
kinds_in() {
  case "$1" in
    test) echo test model base ;;
    model) echo model base ;;
    *) echo "$1" ;;
  esac
}

# install KIND MB WORDS: runs install_KIND unless its stamp says that this very version is installed. The stamps are
# written last: an interrupted installation is never taken for a whole one.
install() {
  local kind="$1" mb="$2" stamp="$VENV/.brickgate-$1" free_mb start_s="$SECONDS" held
  if is_sound_venv "$VENV" && [[ "$(fingerprint)" == "$(cat -- "$stamp" 2>/dev/null)" ]]; then
    return
  fi
  free_mb="$(df -Pm -- "$ROOT" | awk 'NR == 2 { print $4 }')"
  ((free_mb >= mb)) || die "$free_mb MB are free where $ROOT is, $mb are needed: free some, then run this again"
  say "Installing $3 into .venv (what happens is in install.log)"
  make_venv "$VENV"
  rm -f -- "$stamp"
  "install_$kind"
  for held in $(kinds_in "$kind"); do
    fingerprint >"$VENV/.brickgate-$held"
  done
  say "Installed in $((SECONDS - start_s)) s"
}

install_base() { pip_install "$VENV" -e .; }

install_torch() {
  local index=()
  if "$VENV/bin/python" -c 'import torch' 2>/dev/null; then
    return
  elif reaches "$TORCH_CPU_INDEX/torch/"; then
    index=(--index-url "$TORCH_CPU_INDEX") # PyPI's own build brings several GB of CUDA along
  fi
  pip_install "$VENV" "${index[@]}" "$TORCH"
}

reaches() {
  "$VENV/bin/python" -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=5)' "$1" >/dev/null 2>&1
}

install_model() {
  install_torch
  pip_install "$VENV" -e ".[model,convert,onnx]"
  ensure_egl
}

install_test() {
  install_torch
  pip_install "$VENV" -e ".[test,model,convert]"
  ensure_egl
  if "$VENV/bin/python" -c 'import sys; sys.exit(sys.version_info >= (3, 12))'; then
    make_venv "$TFLITE_VENV" # tflite-runtime ends at Python 3.11 and needs an older numpy than the rest
    pip_install "$TFLITE_VENV" "${TFLITE_REQUIREMENTS[@]}"
  fi
}

# --- The commands ----------------------------------------------------------------------------------------------------

start_log() {
  { mkdir -p "$BUILD" && : >>"$ROOT/install.log"; } 2>/dev/null ||
    die "$ROOT cannot be written: clone into a folder of your own"
  LOG="$ROOT/install.log"
  log "install.sh $*"
  if command -v flock >/dev/null; then
    exec 9>"$BUILD/.install.lock"
    flock -n 9 || die "another install.sh is at work in $ROOT: let it finish first"
  fi
  trap 'rm -rf -- "$WORK"' EXIT
  trap 'say "install.sh: interrupted, nothing is lost: run the same command again"; exit 130' INT TERM
}

finish_installing() {
  exec 9>&-
  trap - INT TERM
}

simulate() {
  install base "$BASE_MB" "Brickgate (330 MB)"
  finish_installing
  exec "$VENV/bin/brickgate" simulate "$@"
}

model() {
  install model "$MODEL_MB" "what makes models (3 GB)"
  ensure_ldraw
  finish_installing
  say "Ready. Type: LDRAWDIR='$LDRAWDIR' '$VENV/bin/brickgate-model' --help"
}

check() {
  local output
  if output="$("$@" 2>&1)"; then
    say "ok      ${1##*/} ${2:-}"
  else
    say "FAILED  $*"$'\n'"$output"
    return 1
  fi
}

run_checks() {
  local bin="$VENV/bin" code=(edge quantization calibration tests) failed=0
  check "$bin/ruff" check "${code[@]}" || failed=1
  check "$bin/ruff" format --check "${code[@]}" || failed=1
  check "$bin/basedpyright" --pythonpath "$bin/python" || failed=1
  check "$bin/lint-imports" || failed=1
  check "$bin/shellcheck" -x install.sh edge/system/install/*.sh tests/install/*.sh .ci/run || failed=1
  return "$failed"
}

run_tests() {
  local failed=0
  install test "$MODEL_MB" "what the tests need (3 GB)"
  ensure_ldraw
  finish_installing
  cd -- "$ROOT"
  run_checks || failed=1
  export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" BRICKGATE_TFLITE_PYTHON="$TFLITE_VENV/bin/python"
  # A file at a time to each: what its tests share is made once, and in the order of the folders the long ones do not come last.
  "$VENV/bin/python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@" || failed=1
  return "$failed"
}

# fetch_wheels FOLDER: everything for --wheels. On any computer with a network; the packages are the Pi's.
fetch_wheels() {
  local folder="$1" python platform=()
  install base "$BASE_MB" "Brickgate (330 MB)"
  mkdir -p -- "$folder" || die "$folder cannot be made"
  for python in 2014 _2_17 _2_27 _2_28 _2_31 _2_34; do
    platform+=(--platform "manylinux${python}_${BRICKGATE_WHEELS_FOR:-aarch64}")
  done
  for python in 3.11 3.13; do
    say "Fetching wheels for Python $python"
    pip_download "$folder" "${platform[@]}" --python-version "$python"
    # Raspberry Pi OS brings it; the newest lgpio has no wheel for each Python, and 0.0 on PyPI is an empty one.
    pip_fetch "$folder" "${platform[@]}" --python-version "$python" 'rpi-lgpio>=0.6' 'lgpio>=0.2' ||
      say "No wheel of lgpio for Python $python: there the GPIO library must come with Raspberry Pi OS"
  done
  say "Ready: copy $folder to the Pi, and type there: sudo ./install.sh --wheels FOLDER"
}

pip_download() {
  local folder="$1" wanted
  shift
  mapfile -t wanted < <("$VENV/bin/python" -c 'import sys, tomllib
print(*tomllib.load(open(sys.argv[1], "rb"))["project"]["dependencies"], sep="\n")' "$ROOT/pyproject.toml")
  log "pip download $*"
  pip_fetch "$folder" "$@" "${wanted[@]%%;*}" smbus2 pip 'setuptools>=77' wheel || die "pip failed: see ${LOG##*/}"
}

pip_fetch() { # FOLDER WORDS…
  local folder="$1"
  shift
  "$VENV/bin/python" -m pip download -q --disable-pip-version-check --no-input --only-binary :all: -d "$folder" "$@" \
    >>"$LOG" 2>&1
}

on_device() {
  local update="" remove=""
  while (($#)); do
    case "$1" in
      --update) update=yes ;;
      --uninstall) remove=yes ;;
      --wheels)
        [[ -n "${2:-}" ]] || refuse "--wheels needs a folder"
        WHEELS="$(readlink -m -- "$2")"
        shift
        ;;
      *) refuse "unknown option '$1': see ./install.sh --help" ;;
    esac
    shift
  done
  [[ -z "$WHEELS" || -d "$WHEELS" ]] || refuse "--wheels: $WHEELS is no folder"
  [[ -z "$WHEELS" || -n "$(find_wheel numpy)" ]] || refuse "--wheels: $WHEELS holds no wheels: fill it with --fetch-wheels"
  if [[ -n "$remove" ]]; then
    uninstall_device
  else
    install_on_device "$update"
  fi
}

main() {
  local command="${1:-}" file
  case "$command" in
    "" | --update | --uninstall | --wheels)
      for file in device board versions; do
        # shellcheck source=/dev/null
        source "$ROOT/edge/system/install/$file.sh"
      done
      on_device "$@"
      return
      ;;
    --fetch-wheels)
      [[ $# == 2 && -n "$2" ]] || refuse "--fetch-wheels needs a folder"
      start_log "$command" && fetch_wheels "$(readlink -m -- "$2")"
      return
      ;;
  esac
  [[ $# -eq 0 ]] || shift
  [[ $# -eq 0 || "$1" == "--" ]] || refuse "unknown option '$1': see ./install.sh --help"
  [[ $# -eq 0 ]] || shift
  case "$command" in
    --simulate) start_log "$command" && simulate "$@" ;;
    --test) start_log "$command" && run_tests "$@" ;;
    --model) start_log "$command" && model ;;
    -h | --help) usage ;;
    *) refuse "unknown option '$command': see ./install.sh --help" ;;
  esac
}

main "$@"
