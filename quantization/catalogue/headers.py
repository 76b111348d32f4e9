"""The headers of all parts of an LDraw library: titles, kinds and keywords, without any geometry.

The header's lines are described at https://www.ldraw.org/article/398.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.errors import InputError
from quantization.ldraw.library import MOVED_PREFIX, library_dir


@dataclass(frozen=True, slots=True)
class Header:
    """What a part's file says of itself.

    Attributes:
        number: the file's name without ".dat", in lower case.
        title: its first line, with single spaces; "" for a file that says nothing.
        category: its !CATEGORY, or else the first word of the title, as LDraw defines it.
        kind: its !LDRAW_ORG line, such as "Part Alias UPDATE 2015-01".
        keywords: its !KEYWORDS.
        places: the number of the part that an alias or a moved part stands for; "" for others.
    """

    number: str
    title: str
    category: str
    kind: str
    keywords: tuple[str, ...]
    places: str

    @property
    def name(self) -> str:
        """The title without LDraw's marks before it."""
        return self.title.lstrip("~=_| ")

    def numbers_of(self, catalogue: str) -> tuple[str, ...]:
        """The numbers that "bricklink" or "rebrickable" has for this part, as its keywords say."""
        found = (word.split(maxsplit=1) for word in self.keywords)
        return tuple(words[1].strip() for words in found if len(words) == 2 and words[0].lower() == catalogue)


def parts_dir(library: Path | None = None) -> Path:
    """The folder of the part files of a library, by default of this computer's.

    Raises:
        InputError: the folder holds no LDraw library, or one without parts.
    """
    folder = library_dir() if library is None else library
    if not ((folder / "parts").is_dir() and (folder / "p").is_dir()):
        raise InputError(f"{folder} holds no LDraw library: give the folder that holds parts/ and p/")
    if next((folder / "parts").glob("*.dat"), None) is None:
        raise InputError(f"{folder / 'parts'} holds no part: unpack the LDraw library again")
    return folder / "parts"


def read_headers(parts: Path) -> list[Header]:
    """The headers of all parts, in the order of their numbers; an unreadable file has no title."""
    return [read_header(file) for file in sorted(parts.glob("*.dat"))]


def read_header(file: Path) -> Header:
    """The header of one part. Reading stops at the first line of geometry."""
    lines: list[str] = []
    places = ""
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                words = line.split()
                if words and words[0] != "0":
                    places = _number(" ".join(words[14:])) if words[0] == "1" else ""
                    break
                lines.append(" ".join(words[1:]))
    except OSError:
        lines = []
    return _header(file.stem.lower(), lines, places)


def _header(number: str, lines: list[str], places: str) -> Header:
    title = lines[0] if lines else ""
    words = title.lstrip("~=_| ").split()
    if title.startswith(MOVED_PREFIX):
        places = _number(title.removeprefix(MOVED_PREFIX))
    kind = _after("!LDRAW_ORG", lines)
    return Header(
        number,
        title,
        _after("!CATEGORY", lines) or (words[0] if words else ""),
        kind,
        tuple(word.strip() for line in lines if line.startswith("!KEYWORDS") for word in line[9:].split(",")),
        places if title.startswith((MOVED_PREFIX, "=")) or "Alias" in kind else "",
    )


def _after(key: str, lines: list[str]) -> str:
    return next((line.removeprefix(key).strip() for line in lines if line.startswith(key)), "")


def _number(file_name: str) -> str:
    return file_name.strip().lower().removesuffix(".dat")
