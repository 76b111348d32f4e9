#!/usr/bin/env bash
# Makes the image's root as a tar, from the packages of an archive: root.sh OUT.tar [debian|raspberrypi]
#
# Needs root, mmdebstrap, the network, and on other machines than arm64: qemu-user-static with binfmt_misc. The packages
# in packages-ARCHIVE.txt are laid in /unpack of the tar, as they are; build.sh takes from them what boots the machine.
set -euo pipefail

out=$(realpath -m "${1:?root.sh OUT.tar [debian|raspberrypi]}")
archive=${2:-debian}
here=$(cd "$(dirname "$0")" && pwd)
suite=${BRICKGATE_SUITE:-trixie}
mirror=${BRICKGATE_MIRROR:-http://deb.debian.org/debian}

names() { sed 's/#.*//; /^[[:space:]]*$/d' "$1"; }

sources=("deb $mirror $suite main non-free-firmware")
if [[ $mirror == http://deb.debian.org/debian ]]; then
  sources+=("deb $mirror $suite-updates main non-free-firmware")
  sources+=("deb http://deb.debian.org/debian-security $suite-security main non-free-firmware")
fi
keys=()
include=$(names "$here/packages.txt" | paste -sd,)
case $archive in
  debian) ;;
  raspberrypi)
    sources+=("deb ${BRICKGATE_PI_MIRROR:-http://archive.raspberrypi.com/debian} $suite main")
    keys+=("--keyring=${BRICKGATE_PI_KEYRING:-/usr/share/keyrings/raspberrypi-archive-keyring.gpg}")
    keys+=(--keyring=/usr/share/keyrings/debian-archive-keyring.gpg)
    include+=,$(names "$here/packages-hardware.txt" | paste -sd,)
    ;;
  *) echo "root.sh: there is no archive '$archive': debian or raspberrypi" >&2; exit 2 ;;
esac

# A package that only names another (linux-image-arm64) is followed to the one with the files.
unpack=$(names "$here/packages-$archive.txt" | paste -sd' ')
# shellcheck disable=SC2016 # $1 and $name belong to the hook's shell
download='set -e; mkdir -p "$1/unpack"; cd "$1/unpack"; export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
  for name in '"$unpack"'; do
    real=$(apt-cache depends --no-recommends --no-suggests "$name:arm64" | sed -n "s/^ *Depends: \(linux-image-[0-9][^:]*\).*/\1/p" | head -n 1)
    apt-get download --quiet=2 "${real:-$name}:arm64"
  done'
# shellcheck disable=SC2016
clean='rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/*'

printf '%s\n' "${sources[@]}" | mmdebstrap --variant=essential --architectures=arm64 --format=tar \
  "${keys[@]}" --include="$include" \
  --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='path-exclude=/usr/share/info/*' \
  --customize-hook="$download" \
  --customize-hook="$clean" \
  "$suite" "$out.part" -
mv "$out.part" "$out"
