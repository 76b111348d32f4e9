"""The broken update that the roll-back is tried with is whole in itself, and breaks the service and nothing else."""

from __future__ import annotations

import gzip
import stat
import tarfile
from pathlib import Path

import pytest
from broken_update import INIT, LAST, add_init, broken_init, main

from edge.system.image.initramfs import Entry, write_cpio
from edge.system.image.update import Target, install_update, write_update


def test_it_installs_as_any_update_and_differs_only_in_the_initramfs(tmp_path: Path) -> None:
    slot = tmp_path / "slot"
    slot.mkdir()
    first = gzip.compress(write_cpio([Entry("init", stat.S_IFREG | 0o755, b"#!/bin/sh\n")]))
    (slot / "initrd.img").write_bytes(first)
    (slot / "vmlinuz").write_bytes(b"kernel")
    (tmp_path / "root").write_bytes(b"system")
    write_update(tmp_path / "good", "1.0", tmp_path / "root", slot, 0)

    main(str(tmp_path / "good"), str(tmp_path / "broken"))

    (tmp_path / "partition").write_bytes(bytes(64))
    target = Target(tmp_path / "written", tmp_path / "partition")
    assert install_update(tmp_path / "broken", target, lambda line: None) == "1.0-broken"
    assert (tmp_path / "partition").read_bytes().startswith(b"system")
    assert (target.folder / "vmlinuz").read_bytes() == b"kernel"
    written = (target.folder / "initrd.img").read_bytes()
    assert written.startswith(first)
    assert b"ExecStart=/bin/false" in gzip.decompress(written[len(first) :].lstrip(b"\0"))
    with tarfile.open(tmp_path / "good") as good, tarfile.open(tmp_path / "broken") as broken:
        assert good.getnames() == broken.getnames()


def test_the_second_archive_begins_at_four_bytes() -> None:
    archive = add_init(b"12345", "#!/bin/sh\n")

    assert archive[:8] == b"12345\0\0\0"
    assert archive[8:10] == b"\x1f\x8b"


def test_the_service_is_broken_once_the_system_is_together() -> None:
    init = INIT.read_text(encoding="utf-8")

    broken = broken_init(init)

    assert broken.replace(broken[broken.index("mkdir -p /root/etc/systemd") : broken.index(LAST)], "") == init


def test_an_init_that_is_written_otherwise_is_said() -> None:
    with pytest.raises(SystemExit, match="does not hold"):
        broken_init("#!/bin/sh\n")
