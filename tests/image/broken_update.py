"""Makes a broken update out of a good one: its sorting service ends at once at every start, all else is whole.

    python tests/image/broken_update.py GOOD.update BROKEN.update

Only the initramfs is another one: a second archive behind the first brings an init that lays a drop-in over the unit.
"""

from __future__ import annotations

import gzip
import json
import stat
import sys
import tarfile
import tempfile
from pathlib import Path

from edge.system.image.initramfs import Entry, write_cpio
from edge.system.image.update import write_update

INIT = Path(__file__).parents[2] / "edge/system/image/init"
LAST = "for folder in proc sys dev run; do mount --move"
BREAK = """mkdir -p /root/etc/systemd/system/brickgate.service.d
printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' >/root/etc/systemd/system/brickgate.service.d/broken.conf
"""


def broken_init(init: str) -> str:
    """An init that breaks the service before it hands over to the system."""
    before, found, after = init.partition(LAST)
    if not found:
        raise SystemExit(f"{INIT} does not hold '{LAST}' any more: say here where the system is complete")
    return before + BREAK + found + after


def add_init(initrd: bytes, init: str) -> bytes:
    """An initramfs whose second archive replaces /init (kernel: buffer-format.rst: archives one after another)."""
    second = write_cpio([Entry("init", stat.S_IFREG | 0o755, init.encode())])
    return initrd + bytes(-len(initrd) % 4) + gzip.compress(second, mtime=0)


def main(good: str, broken: str) -> None:
    """Writes the broken update."""
    with tempfile.TemporaryDirectory(dir=Path(broken).parent) as name, tarfile.open(good) as tar:
        folder = Path(name)
        tar.extractall(folder, filter="data")
        initrd = folder / "slot" / "initrd.img"
        initrd.write_bytes(add_init(initrd.read_bytes(), broken_init(INIT.read_text(encoding="utf-8"))))
        version = json.loads((folder / "manifest.json").read_bytes())["version"]
        write_update(Path(broken), f"{version}-broken", folder / "root.squashfs", folder / "slot", 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
