"""The initramfs's archive and the order of its modules."""

from __future__ import annotations

import gzip
import lzma
import stat
from pathlib import Path

import pytest

from edge.system.image.initramfs import Entry, main, module_name, modules_in_order, write_cpio

DEP = """\
kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz kernel/fs/mbcache.ko.xz kernel/fs/jbd2/jbd2.ko.xz
kernel/fs/mbcache.ko.xz:
kernel/lib/crc16.ko.xz:
kernel/fs/jbd2/jbd2.ko.xz: kernel/lib/crc16.ko.xz
kernel/drivers/mmc/host/sdhci-iproc.ko.xz: kernel/drivers/mmc/host/sdhci.ko.xz
kernel/drivers/mmc/host/sdhci.ko.xz:
"""


def read_cpio(data: bytes) -> dict[str, tuple[int, bytes]]:
    """Name → (mode, content), by the format's own description."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[at + 110 : at + 110 + name_size - 1].decode()
        start = (at + 110 + name_size + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = (mode, data[start : start + size])
        at = (start + size + 3) & ~3


def test_an_archive_reads_back() -> None:
    entries = [Entry("bin", stat.S_IFDIR | 0o755), Entry("bin/x", stat.S_IFREG | 0o755, b"12345"), Entry("y", 0o100644)]
    assert read_cpio(write_cpio(entries)) == {
        "bin": (0o40755, b""), "bin/x": (0o100755, b"12345"), "y": (0o100644, b""),
    }  # fmt: skip


def test_every_module_comes_after_what_it_needs_and_once() -> None:
    ordered = [module_name(path) for path in modules_in_order(DEP, ["ext4", "sdhci-iproc", "jbd2", "built_in"])]
    assert sorted(ordered) == ["crc16", "ext4", "jbd2", "mbcache", "sdhci", "sdhci_iproc"]
    for before, after in (("crc16", "jbd2"), ("jbd2", "ext4"), ("mbcache", "ext4"), ("sdhci", "sdhci_iproc")):
        assert ordered.index(before) < ordered.index(after)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    modules = tmp_path / "root" / "usr/lib/modules/6.12-arm64"
    for path in ("kernel/fs/overlayfs/overlay.ko.xz", "kernel/fs/squashfs/squashfs.ko"):
        (modules / path).parent.mkdir(parents=True)
        data = path.encode()
        (modules / path).write_bytes(lzma.compress(data) if path.endswith("xz") else data)
    (modules / "modules.dep").write_text("kernel/fs/overlayfs/overlay.ko.xz:\nkernel/fs/squashfs/squashfs.ko:\n")
    (tmp_path / "busybox").write_bytes(b"ELF")
    return tmp_path / "root"


def test_it_holds_busybox_the_modules_unpacked_and_init(root: Path, tmp_path: Path) -> None:
    main(str(root), "6.12-arm64", str(tmp_path / "busybox"), str(tmp_path / "out.gz"))
    found = read_cpio(gzip.decompress((tmp_path / "out.gz").read_bytes()))
    assert found["lib/overlay.ko"][1] == b"kernel/fs/overlayfs/overlay.ko.xz"
    assert found["modules"][1] == b"/lib/squashfs.ko\n/lib/overlay.ko\n"
    assert found["bin/busybox"] == (0o100755, b"ELF")
    assert found["bin/sh"] == (0o120777, b"busybox")
    assert found["init"][1].startswith(b"#!/bin/sh\n")
    assert found["init"][0] == 0o100755


def test_every_tool_that_init_calls_is_there(root: Path, tmp_path: Path) -> None:
    main(str(root), "6.12-arm64", str(tmp_path / "busybox"), str(tmp_path / "out.gz"))
    found = read_cpio(gzip.decompress((tmp_path / "out.gz").read_bytes()))
    words = set(found["init"][1].decode().replace("(", " ").replace('"', " ").split())
    called = words & {"mount", "umount", "insmod", "dd", "cat", "tr", "mv", "cp", "ln", "mkdir", "sync", "sleep",
                      "chroot", "switch_root", "grep", "touch", "od", "readlink", "sed", "awk", "blkid"}  # fmt: skip
    assert {f"bin/{tool}" for tool in called} <= found.keys()


def test_the_same_input_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    for name in ("first.gz", "second.gz"):
        main(str(root), "6.12-arm64", str(tmp_path / "busybox"), str(tmp_path / name))
    assert (tmp_path / "first.gz").read_bytes() == (tmp_path / "second.gz").read_bytes()
