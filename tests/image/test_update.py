"""An update as a file: written as it was made, or refused in a line."""

from __future__ import annotations

import json
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from image_card import Card

from edge.errors import InputError
from edge.system.image.update import Target, install_update

LISTED = {"bytes": 1, "sha256": "a"}


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path, "pi")


def target(card: Card) -> Target:
    return Target(card.boot / "slot-b", card.folder / "b")


def test_it_lies_in_the_slot_as_it_was_packed(card: Card) -> None:
    (card.boot / "slot-b").mkdir()
    (card.boot / "slot-b" / "old.dtb").touch()
    lines: list[str] = []
    assert install_update(card.update(root=b"r" * 3000), target(card), lines.append) == "2.0"
    assert (card.folder / "b").read_bytes() == b"r" * 3000 + b"\0" * 1096
    files = {
        str(file.relative_to(card.boot / "slot-b")) for file in (card.boot / "slot-b").rglob("*") if file.is_file()
    }
    assert files == {"vmlinuz", "overlays/x.dtbo", "cmdline.txt", "version.txt"}
    assert lines == ["update 2.0: writing 0 MB", "reading it back"]


def test_the_same_input_gives_the_same_bytes(card: Card, tmp_path: Path) -> None:
    first = card.update().read_bytes()
    (tmp_path / "elsewhere").mkdir()
    assert Card(tmp_path / "elsewhere", "pi").update().read_bytes() == first


def test_one_that_does_not_fit_is_refused_before_anything_is_written(card: Card) -> None:
    with pytest.raises(InputError, match="its system has 5000 bytes, the slot has room for 4096"):
        install_update(card.update(root=b"r" * 5000), target(card), print)
    assert (card.folder / "b").read_bytes() == b"\0" * 4096


def test_a_flipped_bit_is_found(card: Card) -> None:
    file = card.update(root=b"r" * 3000)
    data = bytearray(file.read_bytes())
    data[data.index(b"r" * 3000) + 1500] ^= 1
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"root\.squashfs is damaged: fetch the update again"):
        install_update(file, target(card), print)
    assert not (card.boot / "slot-b" / "version.txt").exists(), "what is half written does not look whole"


@pytest.mark.parametrize("kept", [0, 100, 2000, 4000, 6000])
def test_one_that_is_cut_off_is_refused(card: Card, kept: int) -> None:
    file = card.update(root=b"r" * 3000)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(InputError, match="update"):
        install_update(file, target(card), print)


def test_a_file_that_is_not_there(card: Card) -> None:
    with pytest.raises(InputError, match="No such file"):
        install_update(card.folder / "none.update", target(card), print)


def packed(file: Path, manifest: object, **members: bytes) -> Path:
    with tarfile.open(file, "w") as tar:
        for name, data in {"manifest.json": json.dumps(manifest).encode(), **members}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, BytesIO(data))
    return file


@pytest.mark.parametrize(
    "manifest",
    [
        [],
        {"version": "1"},
        {"version": "1", "files": {}},
        {"version": "1", "files": {"root.squashfs": {"bytes": 1}}},
        {"version": "1", "files": {"root.squashfs": LISTED, "slot/../../x": LISTED}},
        {"version": "1", "files": {"root.squashfs": LISTED, "/etc/passwd": LISTED}},
    ],
)  # fmt: skip
def test_a_list_that_is_none_or_leads_elsewhere_is_refused(card: Card, manifest: object) -> None:
    with pytest.raises(InputError, match="is no update of brickgate"):
        install_update(packed(card.folder / "x", manifest), target(card), print)


def test_a_member_that_the_list_does_not_name_is_refused(card: Card) -> None:
    manifest = {"version": "1", "files": {"root.squashfs": {"bytes": 1, "sha256": "a"}}}
    with pytest.raises(InputError, match=r"holds evil, which its list does not name"):
        install_update(packed(card.folder / "x", manifest, evil=b"x"), target(card), print)
