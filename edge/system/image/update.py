"""An update as one file: a tar whose first member lists the others with their sizes and checksums.

    manifest.json   {"version": …, "files": {"root.squashfs": {"bytes": …, "sha256": …}, "slot/vmlinuz": …, …}}
    slot/…          what the boot partition's slot folder is to hold
    root.squashfs   what the slot's partition is to hold

Nothing that runs is touched: the files go into the slot that does not run, and are read back before it is tried.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edge.errors import InputError
from edge.system.image.boot_choice import sync_folder

ROOT = "root.squashfs"
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """Where an update goes: the slot's folder on the boot partition, and its partition (any file in tests)."""

    folder: Path
    partition: Path


def write_update(out: Path, version: str, root: Path, slot_folder: Path, date_s: int) -> None:
    """Packs an update; the same input gives the same bytes."""
    files = {ROOT: root, **{f"slot/{file.relative_to(slot_folder)}": file for file in _files_in(slot_folder)}}
    listed = {name: {"bytes": file.stat().st_size, "sha256": _sha256(file)} for name, file in sorted(files.items())}
    manifest = json.dumps({"version": version, "files": listed}, indent=1).encode()
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(_member("manifest.json", len(manifest), date_s), io.BytesIO(manifest))
        for name, file in sorted(files.items()):
            with file.open("rb") as stream:
                tar.addfile(_member(name, file.stat().st_size, date_s), stream)


def install_update(file: Path, target: Target, say: Callable[[str], None]) -> str:
    """Writes an update into a slot and reads it back; returns its version.

    Raises:
        InputError: it is no update, is damaged, does not fit, or was not written as it should be.
    """
    with _opened(file) as tar:
        version, listed = _manifest(tar, file)
        size = _partition_bytes(target.partition)
        if listed[ROOT]["bytes"] > size:
            raise InputError(f"{file}: its system has {listed[ROOT]['bytes']} bytes, the slot has room for {size}")
        say(f"update {version}: writing {sum(entry['bytes'] for entry in listed.values()) // 1_000_000} MB")
        # The old content goes first: a slot that is half written must not look like a whole one.
        shutil.rmtree(target.folder, ignore_errors=True)
        target.folder.mkdir(parents=True)
        missing = set(listed)
        while member := tar.next():
            if member.name not in missing:
                raise InputError(f"{file}: holds {member.name}, which its list does not name, or twice")
            missing.remove(member.name)
            source = tar.extractfile(member)
            assert source is not None
            _write_member(source, _place(member.name, target), listed[member.name], f"{file}: {member.name}")
        if missing:
            raise InputError(f"{file}: is cut off: {sorted(missing)[0]} is missing")
    say("reading it back")
    for name, entry in listed.items():
        if _sha256(_place(name, target), entry["bytes"]) != entry["sha256"]:
            raise InputError(f"{name} does not read back as it was written: the card is worn out or damaged")
    (target.folder / "version.txt").write_text(f"{version}\n", encoding="utf-8")
    sync_folder(target.folder)
    os.sync()
    return version


@contextmanager
def _opened(file: Path) -> Any:
    """The tar, read as a stream: an update is larger than the memory of a small Pi."""
    try:
        with file.open("rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            yield tar
    except tarfile.TarError as error:
        raise InputError(f"{file}: is no update, or is cut off ({error})") from error
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from error


def _manifest(tar: tarfile.TarFile, file: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    member = tar.next()
    stream = tar.extractfile(member) if member and member.name == "manifest.json" and member.size < BLOCK else None
    try:
        values = json.loads(stream.read()) if stream else None
        version, listed = str(values["version"]), dict(values["files"])  # type: ignore[index]
        for name, entry in listed.items():
            _ = int(entry["bytes"]), str(entry["sha256"])
            if name != ROOT and (not name.startswith("slot/") or ".." in Path(name).parts):
                raise ValueError(name)
        if ROOT not in listed:
            raise ValueError(ROOT)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{file}: is no update of brickgate: give a brickgate-….update file") from error
    return version, listed


def _place(name: str, target: Target) -> Path:
    return target.partition if name == ROOT else target.folder / name.removeprefix("slot/")


def _write_member(source: IO[bytes], place: Path, entry: dict[str, Any], called: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    # A partition is no file to be made anew, and is not to be cut.
    with place.open("r+b" if place.exists() else "wb") as stream:
        while block := source.read(BLOCK):
            digest.update(block)
            stream.write(block)
        stream.flush()
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if digest.hexdigest() != entry["sha256"]:
        raise InputError(f"{called} is damaged: fetch the update again")


def _partition_bytes(partition: Path) -> int:
    with partition.open("rb") as stream:
        return stream.seek(0, os.SEEK_END)


def _sha256(file: Path, most_bytes: int | None = None) -> str:
    digest = hashlib.sha256()
    left = file.stat().st_size if most_bytes is None else most_bytes
    with file.open("rb") as stream:
        while left > 0 and (block := stream.read(min(BLOCK, left))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _files_in(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def _member(name: str, size: int, date_s: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, date_s, 0o644
    return member
