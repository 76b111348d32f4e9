"""From a look to a prediction, and the checks that a model fits its bundle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.catalogue.colours import load_colours
from edge.errors import BundleError
from edge.inference.classifier import Classifier, box_of
from edge.inference.colour import ColourMeter
from edge.records import ImageBgr, Look


def look_at(image: ImageBgr, mask: np.ndarray | None = None, quality: float = 1.0) -> Look:
    return Look(7, 3, "top", image, None, quality, None, mask)


def coloured(bgr: tuple[int, int, int], side_px: int = 60) -> ImageBgr:
    return np.full((side_px, side_px, 3), bgr, np.uint8)


@pytest.mark.parametrize(("bgr", "part"), [((0, 0, 200), 0), ((0, 200, 0), 1), ((200, 0, 0), 2)])
def test_each_part_is_told(channel_network, bundle_of, bgr, part) -> None:
    prediction = Classifier(channel_network(), bundle_of()).classify(look_at(coloured(bgr)))
    assert prediction.part_log_scores.argmax() == part
    assert float(np.exp(prediction.part_log_scores).sum()) == pytest.approx(1, abs=1e-5)


def test_a_prediction_says_what_it_is_of(channel_network, bundle_of) -> None:
    prediction = Classifier(channel_network(), bundle_of()).classify(look_at(coloured((0, 0, 200)), quality=0.4))
    assert (prediction.track_id, prediction.frame_index, prediction.view) == (7, 3, "top")
    assert prediction.quality == 0.4
    assert prediction.colour_log_scores.size == 0


def test_the_temperature_flattens(channel_network, bundle_of) -> None:
    look = look_at(coloured((60, 100, 140)))
    sharp = Classifier(channel_network(), bundle_of()).classify(look).part_log_scores
    flat = Classifier(channel_network(), bundle_of(temperature=5.0)).classify(look).part_log_scores
    assert flat.max() < sharp.max()
    assert flat.argmax() == sharp.argmax()


def test_the_window_is_the_masks_box_with_the_margin(channel_network, bundle_of) -> None:
    image = coloured((0, 255, 0), 100)
    image[40:60, 30:70] = (0, 0, 255)
    mask = np.zeros((100, 100), np.bool_)
    mask[40:60, 30:70] = True
    assert box_of(look_at(image, mask)) == (30, 40, 70, 60)
    network = channel_network()
    Classifier(network, bundle_of()).classify(look_at(image, mask))
    red = network.inputs[0][0, :, :, 0] > 0
    assert red.mean() == pytest.approx(40 * 20 / 48**2, abs=0.05)


def test_a_look_without_a_mask_is_the_window_itself(channel_network, bundle_of) -> None:
    image = coloured((0, 255, 0), 64)
    image[:, :32] = (0, 0, 255)
    network = channel_network()
    Classifier(network, bundle_of()).classify(look_at(image))
    red = network.inputs[0][0, :, :, 0] > 0
    assert red[:, :16].all()
    assert not red[:, 16:].any()


def test_each_look_at_a_track_is_turned_by_a_quarter_more(channel_network, bundle_of) -> None:
    image = coloured((0, 255, 0), 64)
    image[:, :32] = (0, 0, 255)
    network = channel_network()
    classifier = Classifier(network, bundle_of())
    for number in range(5):
        classifier.classify(replace(look_at(image), number=number))
    halves = {"left": np.s_[:, :16], "below": np.s_[16:], "right": np.s_[:, 16:], "above": np.s_[:16]}
    red_in = [
        next(name for name, half in halves.items() if (tensor[0, :, :, 0][half] > 0).all()) for tensor in network.inputs
    ]
    assert red_in == ["left", "below", "right", "above", "left"]


def test_an_empty_mask_means_the_whole_crop() -> None:
    assert box_of(look_at(coloured((0, 0, 0)), np.zeros((60, 60), np.bool_))) == (0, 0, 60, 60)


def test_colours_are_measured_when_asked(channel_network, bundle_of) -> None:
    colours = load_colours()
    classifier = Classifier(channel_network(), bundle_of(), ColourMeter(colours))
    scores = classifier.classify(look_at(coloured((0, 0, 180)))).colour_log_scores
    assert colours[int(scores.argmax())].name in {"Red", "Trans-Red"}


def test_a_model_of_another_size_is_refused(channel_network, bundle_of) -> None:
    with pytest.raises(BundleError, match=r"1×48×48×3, the bundle tiny promises 1×32×32×3"):
        Classifier(channel_network(side_px=48), bundle_of())


def test_a_model_of_other_parts_is_refused(channel_network, bundle_of) -> None:
    with pytest.raises(BundleError, match=r"scores 3 classes, the bundle tiny names 5 parts"):
        Classifier(channel_network(), bundle_of(classes=5))


def test_a_model_of_another_type_is_refused(channel_network, bundle_of) -> None:
    with pytest.raises(BundleError, match=r"input is int16, the bundle tiny can serve int8, uint8 and float32"):
        Classifier(channel_network(dtype="int16"), bundle_of())
