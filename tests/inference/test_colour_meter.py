"""The colour meter on drawn parts: lamps, exposure, glints, shadows and see-through plastic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.colours import Colour, find_colour, load_colours
from edge.inference.colour import WHITE_BELT, ColourMeter, linear, sample_body
from edge.records import Look, Scores

COLOURS = load_colours()
SOLID = [colour for colour in COLOURS if colour.finish == "solid"]
SIDE_PX = 120
WHITE_BELT_RGB = (237.0, 237.0, 237.0)


def srgb(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def draw(
    colour: Colour, lamp_rgb: tuple[float, float, float] = (1, 1, 1), belt: float = WHITE_BELT, seed: int = 0
) -> Look:
    """A part with a lit and a shaded half on a neutral belt; `lamp_rgb` is the light's cast times the exposure."""
    random = np.random.default_rng(seed)
    scene = np.full((SIDE_PX, SIDE_PX, 3), belt, np.float32)
    mask = np.zeros((SIDE_PX, SIDE_PX), np.bool_)
    mask[30:90, 20:100] = True
    scene[mask] = linear(np.array(colour.rgb))
    scene[72:90, 20:100] *= 0.6
    pixels = srgb(scene * np.array(lamp_rgb)) + random.normal(0, 2, scene.shape)
    image = np.clip(pixels, 0, 255).astype(np.uint8)[..., ::-1].copy()
    background = tuple(float(value) for value in np.median(image[:20].reshape(-1, 3), axis=0))
    return Look(1, 0, "top", image, None, 1.0, background, mask)


def ranking(scores: Scores) -> list[str]:
    return [COLOURS[k].name for k in np.argsort(-scores)]


def named(name: str) -> Colour:
    colour = find_colour(name, COLOURS)
    assert colour is not None
    return colour


@pytest.mark.parametrize("colour", SOLID, ids=lambda colour: colour.name)
def test_every_solid_colour_is_among_the_best_three(colour: Colour) -> None:
    assert colour.name in ranking(ColourMeter(COLOURS, WHITE_BELT_RGB).measure(draw(colour)))[:3]


def test_most_solid_colours_come_first() -> None:
    meter = ColourMeter(COLOURS, WHITE_BELT_RGB)
    first = sum(ranking(meter.measure(draw(colour)))[0] == colour.name for colour in SOLID)
    assert first >= 0.8 * len(SOLID)


def test_scores_are_log_probabilities() -> None:
    scores = ColourMeter(COLOURS).measure(draw(named("Red")))
    assert scores.shape == (len(COLOURS),)
    assert scores.dtype == np.float32
    assert float(np.exp(scores).sum()) == pytest.approx(1, abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["Red", "Blue", "Yellow", "Green", "Dark Turquoise", "Lime", "Bright Pink"]),
    red=st.floats(0.35, 1.0),
    green=st.floats(0.35, 1.0),
    blue=st.floats(0.35, 1.0),
)
def test_lamp_and_exposure_do_not_matter(name: str, red: float, green: float, blue: float) -> None:
    scores = ColourMeter(COLOURS, WHITE_BELT_RGB).measure(draw(named(name), (red, green, blue)))
    assert name in ranking(scores)[:2]


@pytest.mark.parametrize("name", ["White", "Light Bluish Gray", "Dark Bluish Gray", "Black"])
def test_an_underexposed_white_belt_is_still_taken_for_white(name: str) -> None:
    assert ranking(ColourMeter(COLOURS).measure(draw(named(name), (0.4, 0.4, 0.4))))[0] == name


@pytest.mark.parametrize("name", ["Light Bluish Gray", "Dark Bluish Gray", "Red", "Blue"])
def test_a_known_dark_belt_gives_true_lightness(name: str) -> None:
    belt = 0.1
    belt_rgb = (float(srgb(np.array(belt))),) * 3
    scores = ColourMeter(COLOURS, belt_rgb).measure(draw(named(name), (0.9, 0.8, 0.7), belt))
    assert name in ranking(scores)[:2]


def test_glints_do_not_matter() -> None:
    look = draw(named("Blue"))
    look.crop_bgr[40:45, 25:60] = 255
    assert ranking(ColourMeter(COLOURS).measure(look))[0] == "Blue"


def test_a_shadow_within_the_mask_does_not_matter() -> None:
    look = draw(named("Orange"))
    assert look.mask is not None
    look.crop_bgr[90:110, 20:100] = np.array(look.background_bgr) * 0.6
    look.mask[90:110, 20:100] = True
    assert ranking(ColourMeter(COLOURS, WHITE_BELT_RGB).measure(look))[0] == "Orange"


def test_see_through_plastic_is_unsure_between_clear_and_solid() -> None:
    clear = named("Trans-Light Blue")
    look = draw(clear)
    assert look.mask is not None
    light = linear(np.array(clear.rgb)) * WHITE_BELT
    look.crop_bgr[look.mask] = srgb(light)[::-1].astype(np.uint8)
    scores = ColourMeter(COLOURS).measure(look)
    assert "Trans-Light Blue" in ranking(scores)[:3]
    assert float(np.exp(scores.max())) < 0.9


def test_without_a_mask_the_middle_counts() -> None:
    look = draw(named("Blue"))
    bare = Look(1, 0, "top", look.crop_bgr, None, 1.0, look.background_bgr, None)
    assert ranking(ColourMeter(COLOURS).measure(bare))[0] == "Blue"


def test_without_a_background_the_picture_counts_as_it_is() -> None:
    look = draw(named("Yellow"))
    bare = Look(1, 0, "top", look.crop_bgr, None, 1.0, None, look.mask)
    assert "Yellow" in ranking(ColourMeter(COLOURS).measure(bare))[:2]


def test_a_dark_belt_makes_no_infinite_light() -> None:
    look = draw(named("White"))
    dark = Look(1, 0, "top", look.crop_bgr, None, 1.0, (0.0, 0.0, 0.0), look.mask)
    assert np.isfinite(ColourMeter(COLOURS).measure(dark)).all()


@pytest.mark.parametrize("pixels", [0, 3])
def test_too_few_pixels_are_not_measured(pixels: int) -> None:
    look = draw(named("Red"))
    mask = np.zeros((SIDE_PX, SIDE_PX), np.bool_)
    mask[60, 60 : 60 + pixels] = True
    tiny = Look(1, 0, "top", look.crop_bgr, None, 1.0, look.background_bgr, mask)
    assert sample_body(tiny) is None
    assert ColourMeter(COLOURS).measure(tiny).size == 0
