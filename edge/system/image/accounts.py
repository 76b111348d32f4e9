"""Adds the image's users to a root's /etc, with fixed numbers: accounts.py ROOT/etc SECONDS_SINCE_1970.

`brickgate` runs the machine, `brickgate-status` its page, `maker` is who logs in; none has a password.
"""

from __future__ import annotations

import sys
from pathlib import Path

USERS = (
    ("brickgate", 961, "the sorting machine", "/var/lib/brickgate", "/usr/sbin/nologin"),
    ("brickgate-status", 962, "the status page", "/nonexistent", "/usr/sbin/nologin"),
    ("maker", 1000, "whoever logs in", "/home/maker", "/bin/bash"),
)
MEMBERSHIPS = {
    "brickgate": ("video", "i2c", "gpio", "spi", "plugdev", "dialout"),
    "maker": ("sudo", "brickgate", "video", "i2c", "gpio", "systemd-journal", "adm"),
}
NEW_GROUPS = {"gpio": 963, "i2c": 964, "spi": 965}


def add_accounts(etc: Path, now_s: int) -> None:
    """Writes passwd, shadow, group and gshadow anew with the users in them; users that are there stay as they are."""
    passwd, shadow, group, gshadow = (_read(etc / name) for name in ("passwd", "shadow", "group", "gshadow"))
    for name, number in NEW_GROUPS.items():
        group.setdefault(name, [name, "x", str(number), ""])
    for name, number, words, home, shell in USERS:
        group.setdefault(name, [name, "x", str(number), ""])
        passwd.setdefault(name, [name, "x", str(number), group[name][2], words, home, shell])
        shadow.setdefault(name, [name, "*", str(now_s // 86400), "0", "99999", "7", "", "", ""])
    for user, groups in MEMBERSHIPS.items():
        for name in groups:
            if name in group:
                members = [member for member in group[name][3].split(",") if member]
                group[name][3] = ",".join(dict.fromkeys([*members, user]))
    for name, fields in group.items():
        gshadow[name] = [name, gshadow.get(name, ["", "!"])[1], "", fields[3]]
    for name, rows in (("passwd", passwd), ("shadow", shadow), ("group", group), ("gshadow", gshadow)):
        (etc / name).write_text("".join(":".join(row) + "\n" for row in rows.values()), encoding="utf-8")


def _read(file: Path) -> dict[str, list[str]]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {line.partition(":")[0]: line.split(":") for line in lines if line}


if __name__ == "__main__":
    add_accounts(Path(sys.argv[1]), int(sys.argv[2]))
