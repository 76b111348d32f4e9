"""From an LDraw title to the word people sort by."""

from __future__ import annotations

import re

OTHER = "Other"
_TECHNIC = "Technic"
_ROUND = "Round"
_FIRST_WORDS = {
    "Arch": "Arch",
    "Bar": "Bar",
    "Bracket": "Bracket",
    "Brick": "Brick",
    "Cone": "Cone",
    "Cylinder": _ROUND,
    "Dish": "Dish",
    "Dome": _ROUND,
    "Door": "Door",
    "Fence": "Fence",
    "Hinge": "Hinge",
    "Minifig": "Minifig",
    "Panel": "Panel",
    "Plant": "Plant",
    "Plate": "Plate",
    "Slope": "Slope",
    "Sphere": _ROUND,
    "Technic": _TECHNIC,
    "Tile": "Tile",
    "Tyre": "Wheel",
    "Wedge": "Wedge",
    "Wheel": "Wheel",
    "Window": "Window",
    "Wing": "Wing",
}
_MAY_BE_ROUND = {"Brick", "Plate", "Tile"}

CATEGORIES = (*sorted(set(_FIRST_WORDS.values())), OTHER)


def category_of(title: str) -> str:
    """The category of a part by its LDraw title, one of `CATEGORIES`.

    The first word decides, except that round bricks, plates and tiles are "Round"; what follows "with" is a
    detail ("with Round Underside Stud") and does not count.
    """
    words = re.findall(r"[A-Za-z]+", re.split(r"\bwith(?:out)?\b", title, maxsplit=1)[0])
    if not words:
        return OTHER
    category = _FIRST_WORDS.get(words[0], OTHER)
    return _ROUND if category in _MAY_BE_ROUND and "Round" in words else category
