"""build.sh's way to `write_update`: pack.py OUT VERSION ROOT.squashfs SLOT_FOLDER SECONDS_SINCE_1970."""

from __future__ import annotations

import sys
from pathlib import Path

from edge.system.image.update import write_update

if __name__ == "__main__":
    out, version, root, folder, date_s = sys.argv[1:]
    write_update(Path(out), version, Path(root), Path(folder), int(date_s))
