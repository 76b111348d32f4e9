#!/usr/bin/env bash
# Makes the SD-card image: build.sh [--archive debian|raspberrypi] [--out FOLDER] [--root ROOT.tar] [--wheels FOLDER]
#
#   brickgate-VERSION-ARCHIVE.img.xz    to be written to a card
#   brickgate-VERSION-ARCHIVE.update    for `slot install`
#   brickgate-VERSION-ARCHIVE.packages  what it is made of
#
# Needs root, mmdebstrap, squashfs-tools, dosfstools, mtools, e2fsprogs, fdisk, kmod, binutils, xz-utils, python3.13 or qemu-user.
# The same root, wheels and commit give the same bytes. No file system is mounted: everything is made from folders.
set -euo pipefail
export LC_ALL=C TZ=UTC PYTHONHASHSEED=0 PATH=$PATH:/usr/sbin:/sbin
umask 022

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../../.." && pwd)
archive=debian out=$repository/build/image root_tar='' wheels=''
while [[ $# -gt 0 ]]; do
  case $1 in
    --archive) archive=$2 ;;
    --out) out=$(realpath -m "$2") ;;
    --root) root_tar=$(realpath "$2") ;;
    --wheels) wheels=$(realpath "$2") ;;
    *) sed -n '2,10p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
[[ $(id -u) == 0 ]] || { echo "build.sh: needs root, to keep who owns what: sudo $0" >&2; exit 1; }

version=${BRICKGATE_VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' "$repository/pyproject.toml")}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repository" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH
python_version=3.13
disk_signature=0x676b7262 # "brkg", least significant byte first
fs_uuid=6272696b-6761-4e74-8000-000000000004
boot_mib=256 slot_mib=768 data_mib=64
name=brickgate-$version-$archive
mkdir -p "$out"
work=$(mktemp -d "${TMPDIR:-/var/tmp}/brickgate-image.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

step() { echo "build.sh: $*"; }

unpack_root() {
  if [[ -z $root_tar ]]; then
    # Emulation makes this the slowest step by far; the list of packages decides whether it is needed.
    root_tar=$out/root-$archive-$(cat "$here"/packages{,-hardware,"-$archive"}.txt "$here/root.sh" | sha256sum | cut -c1-12).tar
    [[ -f $root_tar ]] || "$here/root.sh" "$root_tar" "$archive"
  fi
  step "root from $root_tar"
  mkdir -p "$root" "$work/unpacked"
  tar -xpf "$root_tar" -C "$root" --exclude='./dev/*'
  for deb in "$root"/unpack/*.deb; do dpkg-deb -x "$deb" "$work/unpacked"; done
  { sed -n 's/^Package: //p; s/^Version: //p' "$root/var/lib/dpkg/status" | paste -d' ' - -
    for deb in "$root"/unpack/*.deb; do dpkg-deb -f "$deb" Package Version | sed 's/^[A-Za-z]*: //' | paste -d' ' - -; done
  } | sort >"$out/$name.packages"
  rm -rf "$root/unpack"
}

install_kernel() {
  local folder
  [[ -d $work/unpacked/lib/modules ]] && cp -a "$work/unpacked/lib/modules" "$work/unpacked/usr/lib/"
  mkdir -p "$root/usr/lib/modules"
  for folder in "$work"/unpacked/usr/lib/modules/*; do
    cp -a "$folder" "$root/usr/lib/modules/"
    depmod -b "$root" "$(basename "$folder")"
  done
}

install_brickgate() {
  local lib=$root/opt/brickgate/lib pip=("$(command -v python3)" -m pip)
  step "brickgate $version and its libraries"
  mkdir -p "$lib" "$root/opt/brickgate/current/bin"
  mkdir "$work/source"
  # What is committed, and nothing else: the commit then says what is in the image.
  git -C "$repository" archive HEAD edge calibration quantization pyproject.toml README.md LICENSE | tar -xf - -C "$work/source"
  local found=()
  [[ -n $wheels ]] && found=(--no-index --find-links "$wheels")
  "${pip[@]}" wheel --quiet --no-deps "${found[@]}" --wheel-dir "$work/wheel" "$work/source"
  "${pip[@]}" install --quiet --no-compile --no-warn-conflicts --root-user-action=ignore --target "$lib" --only-binary=:all: --python-version "$python_version" \
    --implementation cp --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
    --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 "${found[@]}" \
    "$work"/wheel/brickgate-*.whl
  rm -rf "${lib:?}/bin" "$lib"/*.dist-info/direct_url.json "$lib"/*.dist-info/RECORD
  find "$lib" -type d -name tests -path '*numpy*' -prune -exec rm -rf {} +
  echo /opt/brickgate/lib >"$root/usr/lib/python3/dist-packages/brickgate.pth"
  for command in brickgate:edge.start brickgate-calibrate:calibration.cli; do
    printf '#!/usr/bin/python3\nfrom %s import main\n\nmain()\n' "${command#*:}" >"$root/opt/brickgate/current/bin/${command%:*}"
    chmod 755 "$root/opt/brickgate/current/bin/${command%:*}"
    ln -sf "/opt/brickgate/current/bin/${command%:*}" "$root/usr/bin/${command%:*}"
  done
  check_libraries "$lib"
  compile_python "$lib"
}

check_libraries() { # what the wheels' own libraries need must be in the root: nothing else finds out before the first boot
  local missing
  missing=$(comm -23 \
    <(find "$1" -name '*.so*' -type f -exec readelf -d {} + 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u) \
    <(find "$1" "$root/usr/lib" -name '*.so*' -printf '%f\n' | sort -u))
  [[ -z $missing ]] || { echo "build.sh: no package of packages.txt brings ${missing//$'\n'/, }" >&2; exit 1; }
}

compile_python() { # the system is read-only: what is not compiled now is compiled at every start
  local words=(-m compileall -q -j 1 --invalidation-mode unchecked-hash)
  local python=${BRICKGATE_PYTHON313:-$(command -v python3.13 || true)}
  if [[ -n $python ]] && "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))'; then
    "$python" "${words[@]}" -s "$root" -p / "$1" || true
  else
    chroot "$root" /usr/bin/python3 "${words[@]}" "${1#"$root"}" || true
  fi
}

install_layer() {
  step "the layer"
  cp -a --no-preserve=ownership "$here/layer/." "$root/"
  chown -R root:root "$root/etc/sudoers.d" "$root/usr/sbin/slot"
  chmod 440 "$root/etc/sudoers.d/brickgate"
  install -m 644 "$here"/../*.service "$here"/../*.socket "$root/usr/lib/systemd/system/"
  install -m 644 "$here/../60-brickgate.rules" "$root/usr/lib/udev/rules.d/"
  install -m 644 "$here/../brickgate.tmpfiles" "$root/usr/lib/tmpfiles.d/brickgate.conf"
  install -D -m 755 "$here/../50-brickgate.motd" "$root/etc/update-motd.d/50-brickgate"
  python3 "$here/accounts.py" "$root/etc" "$SOURCE_DATE_EPOCH"
  mkdir -p "$root/data" "$root/boot/brickgate" "$root/etc/brickgate" "$root/var/lib/brickgate" "$root/var/log/journal"
  ln -sf /usr/share/zoneinfo/Etc/UTC "$root/etc/localtime"
  ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
  rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/machine-id" "$root/var/lib/dbus/machine-id" "$root"/var/lib/systemd/random-seed
  touch "$root/etc/machine-id"
  rm -rf "$root"/var/log/*.log "$root"/var/cache/ldconfig/* "$root"/tmp/*
  # They look for a host behind a socket and for GPT partitions; both only complain, on the console, at every boot.
  mkdir -p "$root/etc/systemd/system-generators"
  ln -sf /dev/null "$root/etc/systemd/system-generators/systemd-ssh-generator"
  ln -sf /dev/null "$root/etc/systemd/system-generators/systemd-gpt-auto-generator"
  while read -r action unit; do
    systemctl --quiet --root="$root" "$action" "$unit" || [[ $action == disable ]]
  done < <(sed 's/#.*//; /^[[:space:]]*$/d' "$here/units.txt")
}

make_slot_folder() { # FOLDER: what the boot partition holds of one slot
  local kernel vmlinuz
  mkdir -p "$1"
  kernel=$(basename "$(printf '%s\n' "$root"/usr/lib/modules/* | sort -V | tail -n 1)")
  vmlinuz=$(printf '%s\n' "$work"/unpacked/boot/vmlinuz-* | sort -V | tail -n 1)
  cp "$vmlinuz" "$1/vmlinuz"
  python3 "$here/initramfs.py" "$root" "$kernel" "$(printf '%s\n' "$work"/unpacked/{usr/,}bin/busybox | while read -r f; do [[ -f $f ]] && echo "$f" && break; done)" "$1/initrd.img"
  find "$work"/unpacked/usr/lib/linux-image-"$kernel" -name 'bcm2[78]*.dtb' -exec cp -t "$1" {} + 2>/dev/null || true
  if [[ -d $work/unpacked/usr/lib/linux-image-$kernel/overlays ]]; then
    cp -r "$work/unpacked/usr/lib/linux-image-$kernel/overlays" "$1/overlays"
  fi
}

make_boot_folder() { # FOLDER
  local slot
  mkdir -p "$1/EFI/BOOT" "$1/loader/entries"
  cp "$here"/boot/* "$1/"
  # What is on a card is a machine of one's own: it says what it runs on, and the CPU is always there.
  sed 's/^  driver: auto .*/  driver: cpu                 # cpu | edgetpu | hailo: what is there/' "$here/../etc/machine.yaml" >"$1/machine.yaml"
  cp "$here/../etc/bins.yaml" "$1/"
  cp -r "$work"/unpacked/usr/lib/raspi-firmware/. "$1/" 2>/dev/null || cp -r "$work"/unpacked/boot/firmware/. "$1/" 2>/dev/null || true
  [[ -f $work/unpacked/usr/lib/systemd/boot/efi/systemd-bootaa64.efi ]] \
    && cp "$work/unpacked/usr/lib/systemd/boot/efi/systemd-bootaa64.efi" "$1/EFI/BOOT/BOOTAA64.EFI"
  printf 'timeout 0\neditor no\n' >"$1/loader/loader.conf"
  cp -r "$work/slot" "$1/slot-a"
  echo "$version" >"$1/slot-a/version.txt"
  mkdir -p "$1/slot-b"
  local options='ro quiet loglevel=4 panic=10'
  for slot in a b; do
    echo "console=serial0,115200 console=tty1 $options brickgate.slot=$slot" >"$1/slot-$slot/cmdline.txt"
  done
  printf 'title Brickgate a\nsort-key brickgate\nversion 1\nlinux /slot-a/vmlinuz\ninitrd /slot-a/initrd.img\noptions console=tty1 console=ttyAMA0 %s brickgate.slot=a\n' \
    "$options" >"$1/loader/entries/brickgate-a.conf"
}

make_fat() { # FOLDER IMAGE
  truncate -s "${boot_mib}M" "$2"
  mkfs.vfat -F 32 -n BRICKGATE -i 62726b67 --invariant "$2" >/dev/null
  find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  local entry
  for entry in "$1"/*; do # one by one, in order: mtools lays files as they come
    mcopy -s -m -i "$2" "$entry" ::
  done
}

make_image() {
  local image=$work/brickgate.img start=4
  truncate -s $(((start + boot_mib + 2 * slot_mib + data_mib) * 1048576)) "$image"
  printf 'label: dos\nlabel-id: %s\nunit: sectors\nstart=%d, size=%d, type=c, bootable\nsize=%d, type=83\nsize=%d, type=83\nsize=%d, type=83\n' \
    "$disk_signature" $((start * 2048)) $((boot_mib * 2048)) $((slot_mib * 2048)) $((slot_mib * 2048)) $((data_mib * 2048)) \
    | sfdisk --quiet "$image"
  dd if="$work/boot.fat" of="$image" bs=1M seek=$start conv=notrunc,sparse status=none
  dd if="$work/root.squashfs" of="$image" bs=1M seek=$((start + boot_mib)) conv=notrunc status=none
  truncate -s "${data_mib}M" "$work/data.ext4"
  mke2fs -q -t ext4 -b 4096 -L brickgate-data -U $fs_uuid -E hash_seed=$fs_uuid,lazy_itable_init=0 -m 1 "$work/data.ext4"
  dd if="$work/data.ext4" of="$image" bs=1M seek=$((start + boot_mib + 2 * slot_mib)) conv=notrunc,sparse status=none
}

unpack_root
install_kernel
install_brickgate
install_layer
step "packing"
env -u SOURCE_DATE_EPOCH mksquashfs "$root" "$work/root.squashfs" -quiet -no-progress -noappend -comp zstd -Xcompression-level "${BRICKGATE_ZSTD:-15}" \
  -mkfs-time "$SOURCE_DATE_EPOCH" -all-time "$SOURCE_DATE_EPOCH" -no-xattrs
[[ $(stat -c %s "$work/root.squashfs") -le $((slot_mib * 1048576)) ]] || { echo "build.sh: the root does not fit its slot" >&2; exit 1; }
make_slot_folder "$work/slot"
make_boot_folder "$work/boot"
make_fat "$work/boot" "$work/boot.fat"
make_image
echo "console=serial0,115200 console=tty1 ro quiet loglevel=4 panic=10 brickgate.slot=b" >"$work/slot/cmdline.txt"
PYTHONPATH=$repository python3 -m edge.system.image.pack "$out/$name.update" "$version" "$work/root.squashfs" "$work/slot" "$SOURCE_DATE_EPOCH"
cp --sparse=always "$work/brickgate.img" "$out/$name.img"
made=("$name.img" "$name.update")
if [[ ${BRICKGATE_XZ:-6} != no ]]; then
  xz -T1 "-${BRICKGATE_XZ:-6}" --stdout "$work/brickgate.img" >"$out/$name.img.xz"
  made+=("$name.img.xz")
fi
(cd "$out" && sha256sum "${made[@]}" | tee "$name.sha256")
step "done: $out/$name.*"
