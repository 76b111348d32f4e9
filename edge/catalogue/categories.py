"""From an LDraw title to the word people sort by."""

from __future__ import annotations

import re

OTHER = "Other"
_ROUND = "Round"
_WORDS = {
    "Arch": "Arch",
    "Bar": "Bar Bone Claw Flame Handle Holder Hook Pole Spike Power",
    "Bracket": "Bracket",
    "Brick": "Brick",
    "Cone": "Cone",
    "Container": "Barrel Bucket Cocoon Container Tap",
    "Dish": "Dish",
    "Door": "Door Garage Roller",
    "Fence": "Fence Gate",
    "Hinge": "Arm Hinge Turntable",
    "Minifig": "Figure Minifig",
    "Panel": "Panel",
    "Plant": "Plant Tree",
    "Plate": "Plate",
    "Rock": "Cloud Rock Shell",
    _ROUND: "Ball Cylinder Disc Dome Hemisphere Decoration Ring Sphere",
    "Sign": "Antenna Flag Kite Lamppost Roadsign Signpost",
    "Slope": "Roof Slope",
    "Support": "Frame Ladder Platform Slide Staircase Support Umbrella",
    "Technic": "Technic",
    "Tile": "Tile",
    "Vehicle": "Bike Boat Car Cockpit Conveyor Crane Excavator Exhaust Forklift Landing Motor Motorcycle Plane "
    "Propeller Tail Tipper Tow Tractor Trailer Train Tricycle Turbine Vehicle Wheelbarrow",
    "Wedge": "Wedge",
    "Wheel": "Tyre Wheel Wheels",
    "Window": "Glass Window Windscreen",
    "Wing": "Wing",
}
"""Category and the first words of the titles in it."""
_FIRST_WORDS = {word: category for category, words in _WORDS.items() for word in words.split()}
_MAY_BE_ROUND = {"Brick", "Plate", "Tile"}

CATEGORIES = (*sorted(_WORDS), OTHER)


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
