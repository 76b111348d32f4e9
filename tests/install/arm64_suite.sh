#!/usr/bin/env bash
# Runs the test suite in an emulated arm64 root of Debian Trixie, and goes on where it was stopped: the device's tests
# first, those of the model factory last. fresh_root.sh says what it needs.
#
#   arm64_suite.sh WORK            every file of tests that has no result yet
#   arm64_suite.sh WORK FILE…      these files again, such as tests/journal/test_reader.py
#
# ROOTS_WHEELS is the folder of wheels, as `install.sh --fetch-wheels` fills it; what the tests need beside them is fetched
# into WORK/suite/wheels. WORK/suite/results.tsv has a line a file (passed, failed, skipped, seconds; `crashed` where the
# interpreter ended), WORK/suite/logs what pytest said. The root is kept; remove WORK/suite/root to have it made anew.
# A test that takes longer than SUITE_TEST_WITHIN_S (900) has failed. PyTorch and TensorFlow are not installed.
set -euo pipefail

PROJECT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)"
WORK="$(realpath -m -- "${1:?arm64_suite.sh WORK [FILE…]}")"
readonly PROJECT WORK SUITE="$WORK/suite"
readonly RESULTS="$SUITE/results.tsv" LOGS="$SUITE/logs" READY=/venv/.ready
readonly TEST_PACKAGES=("pytest>=8" pytest-timeout "hypothesis>=6.100")
# Of the device's, those that take minutes each (whole pictures, simulated machines) after the others.
readonly FIRST=(hardware conformance inference journal service config fusion watchdog safety web feeding bundle catalogue
  errors confirmation routing scheduling tracking pipeline commands capture calibration sim)
readonly LAST=(quantization)
# shellcheck source=tests/install/fresh_root.sh
source "$PROJECT/tests/install/fresh_root.sh"
shift

fetch_test_wheels() {
  local tag platform=() python="$PROJECT/.venv/bin/python"
  [[ -z "$(find "$SUITE/wheels" -name 'hypothesis-*.whl' 2>/dev/null)" ]] || return 0
  [[ -x "$python" ]] || python=python3
  for tag in 2014 _2_17 _2_27 _2_28; do
    platform+=(--platform "manylinux${tag}_aarch64")
  done
  "$python" -m pip download -q --only-binary :all: -d "$SUITE/wheels" "${platform[@]}" --python-version 3.13 \
    "${TEST_PACKAGES[@]}"
}

prepare() {
  local pip_wheel from=(--no-index --find-links /wheels --find-links /test-wheels)
  ROOT="$SUITE/root"
  if [[ -e "$ROOT$READY" ]]; then
    enter_root
  else
    make_root trixie arm64 "$WORK" "$SUITE/root"
    cp -R -- "${ROOTS_WHEELS:?ROOTS_WHEELS names the folder of wheels}" "$ROOT/wheels"
    cp -R -- "$SUITE/wheels" "$ROOT/test-wheels"
  fi
  mkdir -p -- "$ROOT/results"
  copy_tests
  [[ ! -e "$ROOT$READY" ]] || return 0
  say "installing into the root"
  pip_wheel="$(basename -- "$ROOT"/wheels/pip-*.whl)"
  inside python3 -m venv --without-pip /venv
  inside env PYTHONPATH="/wheels/$pip_wheel" /venv/bin/python -m pip install -q "${from[@]}" pip setuptools wheel
  inside env -C /project /venv/bin/python -m pip install -qq "${from[@]}" --no-build-isolation -e . smbus2 "${TEST_PACKAGES[@]}"
  : >"$ROOT$READY"
}

# What git knows: no caches, no environments.
copy_tests() {
  rm -rf -- "$ROOT/project"
  mkdir -p -- "$ROOT/project"
  git -C "$PROJECT" ls-files -z |
    (cd -- "$PROJECT" && tar --null --ignore-failed-read -T - -cf - 2>/dev/null) | tar -xf - -C "$ROOT/project"
}

folders() {
  local folder
  printf '%s\n' "${FIRST[@]}"
  for folder in "$PROJECT"/tests/*/; do
    folder="$(basename -- "$folder")"
    [[ " ${FIRST[*]} ${LAST[*]} " == *" $folder "* ]] || printf '%s\n' "$folder"
  done
  printf '%s\n' "${LAST[@]}"
}

has_result() { grep -q "^$1"$'\t' "$RESULTS"; }

# open_files FOLDER: those without a result.
open_files() {
  local file
  while IFS= read -r file; do
    has_result "$file" || printf '%s\n' "$file"
  done < <(cd -- "$ROOT/project" && find "tests/$1" -name 'test_*.py' 2>/dev/null | sort)
}

# pytest's lines come into the root and are taken over from there, crash or not.
run_files() {
  local code=0 log="$LOGS/$1.log" file
  shift
  : >"$ROOT/results/lines"
  : >"$ROOT/results/running"
  inside env -C /project SUITE_RESULTS=/results/lines SUITE_RUNNING=/results/running PYTHONPATH=/project/tests/install \
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 /venv/bin/python -m pytest -p suite_record -p no:cacheprovider -rfEs \
    --continue-on-collection-errors --timeout "${SUITE_TEST_WITHIN_S:-900}" "$@" >>"$log" 2>&1 || code=$?
  cat -- "$ROOT/results/lines" >>"$RESULTS"
  ((code < 128 || code == 134 || code == 139)) || exit "$code" # Stopped from outside: the file has no result.
  # 3, 4: pytest itself failed, and would again. 0, 1, 2, 5: passed, some failed, not all could be imported, nothing to run.
  ((code != 3 && code != 4)) || { say "pytest failed: see $log"; exit "$code"; }
  if ((code > 2 && code != 5)); then
    file="$(cat -- "$ROOT/results/running")"
    has_result "${file:-$1}" || printf '%s\tcrashed\t%s\t\t\n' "${file:-$1}" "$code" >>"$RESULTS"
  fi
  say "$(tail -n 1 -- "$log")"
}

run_folder() {
  local files before
  mapfile -t files < <(open_files "$1")
  while ((${#files[@]})); do
    say "tests/$1: ${#files[@]} files"
    before="${#files[@]}"
    run_files "$1" "${files[@]}"
    mapfile -t files < <(open_files "$1")
    ((${#files[@]} < before)) || { say "tests/$1: no file got on: see $LOGS/$1.log"; return; }
  done
}

summary() {
  awk -F '\t' '$2 == "crashed" { crashed++; next } { files++; passed += $2; failed += $3; skipped += $4; s += $5 }
    END { printf "%d files: %d passed, %d failed, %d skipped, %d s; %d files crashed\n", files, passed, failed, skipped, s, crashed }' \
    "$RESULTS"
}

main() {
  local folder file
  mkdir -p -- "$SUITE" "$LOGS"
  touch -- "$RESULTS"
  trap leave_root EXIT
  trap 'exit 143' TERM INT
  fetch_test_wheels
  prepare
  NO_NETWORK=yes
  for file in "$@"; do
    sed -i "\\#^$file\t#d" "$RESULTS"
    run_files again "$file"
  done
  (($#)) || for folder in $(folders); do
    run_folder "$folder"
  done
  summary
}

main "$@" # One word: bash reads no more of this file while it runs.
