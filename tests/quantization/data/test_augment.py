"""Training pictures: repeatable, varied, in range, with the part in them."""

from __future__ import annotations

import numpy as np
import pytest

from quantization.data import augment
from quantization.data.augment import Augmenter, continued_border, framing, tone_table, white_balance
from quantization.data.belts import make_belts
from quantization.data.colours import SOLID, TRANSPARENT, palette
from quantization.data.layers import open_layers

SIZE_PX = 40


@pytest.fixture(autouse=True)
def few_belts(monkeypatch):
    monkeypatch.setattr(augment, "make_belts", lambda rng, size_px: make_belts(rng, size_px, 6))


def pictures(renders, seed, count=12):
    augmenter = Augmenter(open_layers(renders), SIZE_PX, seed)
    return np.stack([augmenter.picture(k, np.random.default_rng([seed, k])) for k in range(count)])


def test_the_same_seed_makes_the_same_pictures_another_one_others(renders):
    first = pictures(renders, 5)
    assert first.shape == (12, SIZE_PX, SIZE_PX, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, pictures(renders, 5))
    assert not np.array_equal(first, pictures(renders, 6))


def test_one_look_makes_many_pictures(renders):
    augmenter, rng = Augmenter(open_layers(renders), SIZE_PX, 1), np.random.default_rng(3)
    drawn = {augmenter.picture(0, rng).tobytes() for _ in range(10)}
    assert len(drawn) == 10


def test_pictures_use_the_whole_range_but_are_not_washed_out(renders):
    augmenter, rng = Augmenter(open_layers(renders), SIZE_PX, 1), np.random.default_rng(3)
    many = np.stack([augmenter.picture(k % 12, rng) for k in range(120)]).astype(float)
    means, contrasts = many.mean(axis=(1, 2, 3)), many.std(axis=(1, 2, 3))
    assert 70 < means.mean() < 180
    assert means.std() > 25
    assert np.median(contrasts) > 15


def test_clear_plastic_lets_the_belt_through(write_renders, tmp_path):
    solid = open_layers(write_renders(tmp_path / "solid"))
    clear = open_layers(write_renders(tmp_path / "clear", transparent=True))

    def difference(looks):
        """How far the part stands out from the belt around it, on average."""
        augmenter, found = Augmenter(looks, SIZE_PX, 1), []
        for k in range(60):
            rng = np.random.default_rng([8, k])
            framed = augmenter._framed(looks.look(1), rng)
            light = augmenter._lit(framed, bool(looks.transparent[1]), rng)
            inside = framed[..., 3] > 250
            found.append(np.abs(light[inside].mean(axis=0) - light[framed[..., 3] == 0].mean(axis=0)).mean())
        return np.mean(found)

    assert difference(clear) < difference(solid)


@pytest.mark.parametrize("elevation_deg", [90.0, 30.0, -60.0])
def test_framing_scales_the_part_to_its_margin(elevation_deg):
    hull = np.array([[10, 10], [60, 10], [60, 30], [10, 30]], np.float32)
    shares, offsets = [], []
    for seed in range(400):
        matrix = framing(hull, elevation_deg, 96, np.random.default_rng(seed))
        corners = hull @ matrix[:, :2].T + matrix[:, 2]
        low, high = corners.min(axis=0), corners.max(axis=0)
        longer = (high - low).max()
        shares.append(longer / 96)
        offsets.append(np.abs((low + high) / 2 - 48).max() / longer)
    assert 0.49 < min(shares) < 0.6
    assert 1.05 < max(shares) < 1.12
    assert np.mean(np.array(shares) <= 1) > 0.7
    assert max(offsets) < 0.035 * 5


def test_a_good_camera_shows_the_part_whole_and_in_the_middle(renders, monkeypatch):
    monkeypatch.setattr(Augmenter, "_belt", lambda self, rng: np.zeros((SIZE_PX, SIZE_PX, 3), np.float32))
    augmenter = Augmenter(open_layers(renders), SIZE_PX, 1)
    for k in range(12):
        picture = augmenter.clean(k, 0.1, np.random.default_rng([9, k]))
        assert picture.shape == (SIZE_PX, SIZE_PX, 3) and picture.dtype == np.uint8
        assert np.array_equal(picture, augmenter.clean(k, 0.1, np.random.default_rng([9, k])))
        corners = np.argwhere(picture.any(axis=2))  # a belt that reflects nothing leaves the part alone
        low, high = corners.min(axis=0), corners.max(axis=0) + 1
        assert (high - low).max() * 1.2 == pytest.approx(SIZE_PX, abs=5)  # edges are soft
        assert (low + high) / 2 == pytest.approx(SIZE_PX / 2, abs=1.5)


def test_a_good_cameras_pictures_are_sharper_than_trainings(renders):
    looks = open_layers(renders)
    augmenter = Augmenter(looks, SIZE_PX, 1)

    def roughness(pictures):
        """How much a pixel differs from its neighbours' mean where the picture is even: grain and JPEG."""
        return np.mean([np.median(np.abs(np.diff(p.astype(float), 2, axis=1))) for p in pictures])

    many = range(40)
    clean = [augmenter.clean(k % 12, 0.1, np.random.default_rng([9, k])) for k in many]
    trained = [augmenter.picture(k % 12, np.random.default_rng([9, k])) for k in many]
    assert roughness(clean) < roughness(trained)


def test_a_part_framed_with_a_margin_stays_in_the_picture():
    """Where the margin is as large as the drawn offset, nothing of the part is cut off."""
    hull = np.array([[5, 40], [75, 44], [70, 52], [8, 50]], np.float32)
    kept = 0
    for seed in range(300):
        matrix = framing(hull, 90.0, 96, np.random.default_rng(seed))
        corners = hull @ matrix[:, :2].T + matrix[:, 2]
        low, high = corners.min(axis=0), corners.max(axis=0)
        longer = (high - low).max()
        margin_px = (96 - longer) / 2
        if margin_px >= np.abs((low + high) / 2 - 48).max():
            kept += 1
            assert low.min() >= -0.01
            assert high.max() <= 96.01
    assert kept > 150


def test_steep_views_turn_any_way_oblique_ones_mostly_do_not():
    hull = np.array([[0, 0], [60, 0], [60, 10], [0, 10]], np.float32)

    def turns(elevation_deg):
        found = []
        for seed in range(200):
            matrix = framing(hull, elevation_deg, 96, np.random.default_rng(seed))
            found.append(abs(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))))
        return np.array(found)

    assert (turns(90.0) > 45).mean() > 0.5
    assert (turns(30.0) > 45).mean() < 0.3


def test_white_balance_keeps_the_brightness():
    gains = np.stack([white_balance(np.random.default_rng(k)) for k in range(200)])
    assert np.allclose(gains.mean(axis=1), 1, atol=1e-5)
    assert gains.max() > 1.3


def test_tones_rise_from_dark_to_light():
    for seed in range(50):
        table = tone_table(np.random.default_rng(seed))
        assert table[-1] > table[0] + 150
        assert (np.diff(table) > -0.2).all()


def test_a_continued_border_repeats_the_last_pixels():
    picture = np.random.default_rng(1).integers(0, 255, (60, 60, 3)).astype(np.uint8)
    for seed in range(20):
        done = continued_border(picture, np.random.default_rng(seed))
        assert done.shape == picture.shape
        assert np.array_equal(done[30, 30], picture[30, 30])
    assert any(
        np.array_equal(done[0], done[1])
        for done in (continued_border(picture, np.random.default_rng(seed)) for seed in range(20))
    )


def test_belts_are_around_grey_and_differ():
    belts = make_belts(np.random.default_rng(2), 48, 24)
    assert belts.shape == (24, 48, 48, 3)
    means = belts.mean(axis=(1, 2, 3))
    assert 100 < means.min() < means.max() < 156
    assert len({belt.tobytes() for belt in belts}) == 24
    assert np.array_equal(belts, make_belts(np.random.default_rng(2), 48, 24))
    assert np.array_equal(belts[:5], make_belts(np.random.default_rng(2), 48, 5))


@pytest.mark.parametrize("table", [SOLID, TRANSPARENT])
def test_palettes_draw_near_their_colours(table):
    drawn_from = palette(table)
    assert drawn_from.weights.sum() == pytest.approx(1)
    rng = np.random.default_rng(4)
    drawn = np.stack([drawn_from.draw(rng) for _ in range(300)])
    assert drawn.min() >= 0.004
    assert drawn.max() <= 0.95
    known = np.clip(drawn_from.linear_rgb, 0.004, 0.95)
    gap = np.abs(np.log(drawn[:, None]) - np.log(known[None])).max(axis=2).min(axis=1)
    assert np.quantile(gap, 0.95) < 0.25


def test_white_is_light_and_black_is_dark_in_linear_light():
    linear = dict(zip(SOLID, palette(SOLID).linear_rgb, strict=True))
    assert linear["White"] == pytest.approx([0.905] * 3, abs=0.01)
    assert linear["Black"].max() < 0.04
    assert linear["Red"][0] > 20 * linear["Red"][1]
