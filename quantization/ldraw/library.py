"""Find and read files of the LDraw Parts Library."""

import os
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from edge.errors import BrickgateError

LDRAW_DIR_VARIABLE = "LDRAWDIR"
SYSTEM_LDRAW_DIR = Path("/usr/share/ldraw")
MOVED_PREFIX = "~Moved to "


def library_dir() -> Path:
    """Return the library's folder: `$LDRAWDIR`, else /usr/share/ldraw.

    Raises:
        BrickgateError: neither holds a parts library.
    """
    named = os.environ.get(LDRAW_DIR_VARIABLE)
    for folder in [Path(named)] if named else [SYSTEM_LDRAW_DIR]:
        if (folder / "parts").is_dir() and (folder / "p").is_dir():
            return folder
    place = f"{LDRAW_DIR_VARIABLE}={named}" if named else str(SYSTEM_LDRAW_DIR)
    raise BrickgateError(
        f"no LDraw parts library at {place}: run install.sh --model, "
        f"or set {LDRAW_DIR_VARIABLE} to a folder that holds parts/ and p/"
    )


class Library:
    """Files of one LDraw library, by the name that other files call them by.

    Names are case-insensitive, may use backslashes, and are looked up in parts/ before p/, as LDraw asks.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = library_dir() if folder is None else folder
        self._digests: dict[str, bytes] = {}

    def find(self, name: str) -> Path | None:
        """Return the path of `name` ("3001.dat", "s\\\\3001s01.dat", "48/4-4cyli.dat"), or None."""
        relative = name.strip().lower().replace("\\", "/")
        for sub in ("parts", "p"):
            path = self.folder / sub / relative
            if path.is_file():
                return path
        return None

    def read_lines(self, name: str) -> list[str]:
        """Return the lines of a file.

        Raises:
            BrickgateError: the library has no such file, or it cannot be read.
        """
        path = self.find(name)
        if path is None:
            raise BrickgateError(f"LDraw file {name} is not in {self.folder}")
        try:
            return path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise BrickgateError(f"LDraw file {path} cannot be read: {error.strerror}") from error

    def fingerprint(self, names: Iterable[str]) -> str:
        """Return what changes with the content of these files; one that is not there counts, too."""
        whole = sha256()
        for name in sorted(names):
            whole.update(self._digest(name))
        return whole.hexdigest()

    def _digest(self, name: str) -> bytes:
        if name not in self._digests:
            path = self.find(name)
            try:
                content = b"" if path is None else path.read_bytes()
            except OSError:
                content = b""
            self._digests[name] = sha256(content).digest()
        return self._digests[name]


@lru_cache(maxsize=4)
def _open(folder: Path) -> Library:
    return Library(folder)


def default_library() -> Library:
    """Return the library of this computer, as found by `library_dir`."""
    return _open(library_dir())
