"""The initramfs: busybox, the few modules that reach the card, and `init`; the same input gives the same bytes.

    initramfs.py ROOT KERNEL_VERSION BUSYBOX OUT.cpio.gz

Debian's own (initramfs-tools) looks for every way to a root file system there is, takes minutes to make under emulation
and seconds to unpack at each boot. This one knows one way.
"""

from __future__ import annotations

import gzip
import lzma
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MODULES = (
    # What the card or stick hangs on: Raspberry Pi 3, 4, 5, Zero 2; USB; QEMU.
    "mmc_block", "sdhci_iproc", "bcm2835", "sdhci_brcmstb", "bcm2835_mmc", "bcm2835_sdhost", "usb_storage", "uas",
    "xhci_plat_hcd", "xhci_pci", "dwc2", "pcie_brcmstb", "phy_brcm_usb", "reset_raspberrypi", "raspberrypi_power",
    "clk_raspberrypi", "bcm2835_dma", "virtio_pci", "virtio_mmio", "virtio_blk", "nvme", "sd_mod",
    # The file systems of its partitions.
    "squashfs", "overlay", "ext4", "crc32c_generic", "libcrc32c", "vfat", "nls_cp437", "nls_ascii",
)  # fmt: skip
TOOLS = (
    "basename", "cat", "chown", "chroot", "cp", "dd", "dmesg", "echo", "grep", "insmod", "ln", "ls", "mkdir", "mount",
    "mv", "sh", "sleep", "switch_root", "sync", "touch", "tr", "umount",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a cpio archive: a folder, a file, a link or a device."""

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def write_cpio(entries: Iterable[Entry]) -> bytes:
    """A "newc" archive (kernel: Documentation/driver-api/early-userspace/buffer-format.rst): no times, no owners."""
    out = bytearray()
    for number, entry in enumerate([*entries, Entry("TRAILER!!!", 0)], start=1):
        name = entry.name.encode() + b"\0"
        fields = (number, entry.mode, 0, 0, 1, 0, len(entry.data), 0, 0, *entry.device, len(name), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        out += b"\0" * (-len(out) % 4) + entry.data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def modules_in_order(dep_file: str, wanted: Iterable[str]) -> list[str]:
    """Paths of the modules and of all that they need, each after what it needs.

    Args:
        dep_file: modules.dep: "path: path path", what each needs (depmod(8)).
        wanted: names, with - or _. One that this kernel has built in, or has not, is left out.
    """
    needs = {path: rest.split() for path, _, rest in (line.partition(":") for line in dep_file.splitlines()) if path}
    by_name = {module_name(path): path for path in needs}
    ordered: dict[str, None] = {}

    def add(path: str) -> None:
        if path not in ordered:
            for needed in needs.get(path, ()):
                add(needed)
            ordered[path] = None

    for name in wanted:
        if (path := by_name.get(name.replace("-", "_"))) is not None:
            add(path)
    return list(ordered)


def module_name(path: str) -> str:
    """ "kernel/fs/ext4/ext4.ko.xz" is ext4."""
    return PurePosixPath(path).name.partition(".")[0].replace("-", "_")


def entries(root: Path, kernel: str, busybox: Path, init: Path) -> Iterator[Entry]:
    """Everything in the initramfs. Modules are unpacked, so that busybox can load them, and named in /modules in the
    order in which they are to be loaded."""
    for folder in ("bin", "dev", "proc", "sys", "run", "root", "lib"):
        yield Entry(folder, stat.S_IFDIR | 0o755)
    yield Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    yield Entry("bin/busybox", stat.S_IFREG | 0o755, busybox.read_bytes())
    for tool in sorted(TOOLS):
        yield Entry(f"bin/{tool}", stat.S_IFLNK | 0o777, b"busybox")
    folder = root / "usr/lib/modules" / kernel
    ordered = modules_in_order((folder / "modules.dep").read_text(), MODULES)
    for path in ordered:
        yield Entry(f"lib/{module_name(path)}.ko", stat.S_IFREG | 0o644, _unpacked(folder / path))
    yield Entry("modules", stat.S_IFREG | 0o644, "".join(f"/lib/{module_name(path)}.ko\n" for path in ordered).encode())
    yield Entry("init", stat.S_IFREG | 0o755, init.read_bytes())


def _unpacked(module: Path) -> bytes:
    data = module.read_bytes()
    if module.suffix == ".xz":
        return lzma.decompress(data)
    if module.suffix == ".gz":
        return gzip.decompress(data)
    if module.suffix == ".zst":
        raise SystemExit(f"{module}: unpack the modules of this kernel first (unzstd): Python reads xz and gzip")
    return data


def main(root: str, kernel: str, busybox: str, out: str) -> None:
    """Writes the archive, packed so that every kernel can read it."""
    init = Path(__file__).with_name("init")
    archive = write_cpio(entries(Path(root), kernel, Path(busybox), init))
    Path(out).write_bytes(gzip.compress(archive, 6, mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:5])
