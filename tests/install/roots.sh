#!/usr/bin/env bash
# Tries `install.sh` in fresh roots of Debian: install, again, update, broken update, uninstall; from the network and from
# a folder of wheels with no network. fresh_root.sh says what it needs.
#
#   roots.sh WORK [SUITE-ARCHITECTURE-SOURCE …]     such as bookworm-arm64-network trixie-arm64-wheels
#
# ROOTS_WHEELS is the folder of wheels, as `install.sh --fetch-wheels` fills it.
# shellcheck disable=SC2317,SC2329  # steps are called by their names
set -euo pipefail

PROJECT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)"
WORK="$(realpath -m -- "${1:?roots.sh WORK [SUITE-ARCHITECTURE-SOURCE …]}")"
readonly PROJECT WORK
# shellcheck source=tests/install/fresh_root.sh
source "$PROJECT/tests/install/fresh_root.sh"
shift
CASES=("$@")
((${#CASES[@]})) || CASES=({bookworm,trixie}-arm64-{network,wheels})

make_root_with_project() { make_root "$1" "$2" "$WORK" "$WORK/root-$1-$2" && copy_project; }

install() { inside /project/install.sh "$@" "${FROM[@]}"; }

version() { readlink -- "$ROOT/opt/brickgate/current"; }

works() {
  inside /usr/local/bin/brickgate simulate --parts 2 --json && inside /usr/local/bin/brickgate check-config \
    /etc/brickgate/machine.yaml /etc/brickgate/bins.yaml && inside getent passwd brickgate &&
    [[ -L "$ROOT/etc/systemd/system/multi-user.target.wants/brickgate.service" ]] &&
    inside systemd-analyze verify --man=no /etc/systemd/system/brickgate.service
}

again_in_seconds() {
  local start_s="$SECONDS" before
  before="$(version)"
  install && [[ "$(version)" == "$before" ]] && ((SECONDS - start_s < ${AGAIN_WITHIN_S:-90}))
}

updates() {
  local before
  before="$(version)"
  printf '\n# mine\n' >>"$ROOT/etc/brickgate/bins.yaml"
  printf '\n# a newer version\n' >>"$ROOT/project/edge/run.py"
  install --update && [[ "$(version)" != "$before" ]] && tail -n 1 "$ROOT/etc/brickgate/bins.yaml" | grep -q mine &&
    [[ -d "$ROOT/opt/brickgate/$before" ]]
}

refuses_a_broken_update() {
  local before
  before="$(version)"
  printf '\nraise RuntimeError("broken")\n' >>"$ROOT/project/edge/pipeline.py"
  ! install --update && [[ "$(version)" == "$before" ]] && works &&
    [[ "$(find "$ROOT/opt/brickgate" -mindepth 1 -maxdepth 1 -type d | wc -l)" == 2 ]]
}

leaves_only_what_is_the_users() {
  printf 'one part\n' >"$ROOT/var/lib/brickgate/brickgate-journal.jsonl"
  inside /project/install.sh --uninstall || return 1
  find "$ROOT" -xdev -path "$ROOT/proc" -prune -o -path "$ROOT/dev" -prune -o -path "$ROOT/project" -prune -o \
    -path "$ROOT/wheels" -prune -o -iname '*brickgate*' -print | sort | sed "s#^$ROOT##" >"$WORK/left"
  diff - "$WORK/left" <<'LEFT' && ! inside getent passwd brickgate
/etc/brickgate
/var/lib/brickgate
/var/lib/brickgate/brickgate-journal.jsonl
LEFT
}

try() {
  local suite architecture source
  IFS=- read -r suite architecture source <<<"$CASE"
  begin_steps "$CASE" "$WORK/$CASE.log"
  FROM=() NO_NETWORK=""
  step "fresh root" make_root_with_project "$suite" "$architecture"
  [[ -x "$ROOT/usr/bin/env" && -x "$ROOT/project/install.sh" ]] || return 0 # Without a root there is nothing to try.
  if [[ "$source" == wheels ]]; then
    cp -R -- "${ROOTS_WHEELS:?ROOTS_WHEELS names the folder of wheels}" "$ROOT/wheels"
    FROM=(--wheels /wheels) NO_NETWORK=yes
  fi
  step install install
  step "it works" works
  step "again, in seconds" again_in_seconds
  step update updates
  step "a broken update is refused" refuses_a_broken_update
  step uninstall leaves_only_what_is_the_users
  remove_root
}

main() {
  mkdir -p -- "$WORK"
  trap remove_root EXIT
  for CASE in "${CASES[@]}"; do
    try
  done
  exit "$FAILED"
}

main # One word: bash reads no more of this file while it runs.
