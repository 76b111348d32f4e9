"""Plain TFLite classifiers: labels, inputs and outputs of all kinds, and real models on real photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.errors import BundleError, InputError
from edge.hardware.interfaces import TensorSpec
from edge.inference.picture import read_picture
from edge.inference.plain import PlainClassifier, holds_shares, read_labels

MODELS = ["mobilenet_v2_1.0_224_quant", "tf2_mobilenet_v2_1.0_224_ptq"]
PHOTOS = {"parrot.jpg": "macaw", "cat.bmp": "Egyptian cat", "bird.bmp": "chickadee", "hot_dog.jpg": "hotdog"}


class Recorder:
    """Keeps its input and answers with a fixed output."""

    name = "recorder"

    def __init__(self, dtype: str, output: np.ndarray, spec: TensorSpec | None = None, shape=(1, 8, 8, 3)) -> None:
        self.input_spec = TensorSpec(shape, np.dtype(dtype), 1 / 128, 0)
        self.output_spec = spec or TensorSpec(output.shape, output.dtype)
        self.output = output
        self.seen = np.zeros(0)

    def load(self, model: Path) -> None:
        raise NotImplementedError(str(model))

    def invoke(self, tensor):
        self.seen = tensor
        return self.output

    def close(self) -> None: ...


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("photo", "label"), PHOTOS.items())
def test_photographs_are_named(litert, shared, model: str, photo: str, label: str) -> None:
    folder = shared("coral")
    labels = read_labels(folder / "imagenet_labels.txt")
    scores = PlainClassifier(litert(folder / f"{model}.tflite"), labels).classify(read_picture(folder / photo))
    assert label in labels[int(scores.argmax())]
    assert float(np.exp(scores).sum()) == pytest.approx(1, abs=1e-4)


def test_a_sunflower_is_a_daisy_at_least(litert, shared) -> None:
    folder = shared("coral")
    labels = read_labels(folder / "imagenet_labels.txt")
    scores = PlainClassifier(litert(folder / f"{MODELS[0]}.tflite"), labels).classify(
        read_picture(folder / "sunflower.bmp")
    )
    assert labels[int(scores.argmax())] == "daisy"


@pytest.mark.parametrize(("dtype", "black", "white"), [("uint8", 0, 255), ("int8", -128, 127), ("float32", -1, 1)])
def test_pixels_fill_the_inputs_range(dtype: str, black: float, white: float) -> None:
    accelerator = Recorder(dtype, np.array([[1.0, 0.0]], np.float32))
    classifier = PlainClassifier(accelerator, ("a", "b"))
    for level, stored in ((0, black), (255, white)):
        classifier.classify(np.full((20, 30, 3), level, np.uint8))
        assert accelerator.seen.shape == (1, 8, 8, 3)
        assert accelerator.seen.dtype == np.dtype(dtype)
        assert (accelerator.seen == stored).all()


def test_pictures_go_in_as_rgb() -> None:
    accelerator = Recorder("uint8", np.array([[1.0, 0.0]], np.float32))
    PlainClassifier(accelerator, ("a", "b")).classify(np.full((8, 8, 3), (1, 2, 3), np.uint8))
    assert accelerator.seen[0, 0, 0].tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    ("values", "spec", "shares"),
    [
        ([0.7, 0.3], TensorSpec((1, 2), np.dtype(np.float32)), True),
        ([0.7, 0.1], TensorSpec((1, 2), np.dtype(np.float32)), False),
        ([3.0, -2.0], TensorSpec((1, 2), np.dtype(np.float32)), False),
        ([0.7, 0.3], TensorSpec((1, 2), np.dtype(np.uint8), 1 / 256, 0), True),
        ([0.7, 0.3], TensorSpec((1, 2), np.dtype(np.int8), 1 / 256, -128), True),
        ([0.7, 0.3], TensorSpec((1, 2), np.dtype(np.int8), 0.1, 4), False),
    ],
)
def test_shares_and_logits_are_told_apart(values: list[float], spec: TensorSpec, shares: bool) -> None:
    assert holds_shares(np.array(values, np.float32), spec) is shares


def test_shares_keep_their_values_and_logits_are_softmaxed() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    shares = PlainClassifier(Recorder("uint8", np.array([[0.8, 0.2]], np.float32)), ("a", "b")).classify(image)
    assert np.exp(shares) == pytest.approx([0.8, 0.2], abs=1e-3)
    logits = PlainClassifier(Recorder("uint8", np.array([[2.0, 0.5]], np.float32)), ("a", "b")).classify(image)
    assert np.exp(logits) == pytest.approx([1 / (1 + np.exp(-1.5)), 1 / (1 + np.exp(1.5))], abs=1e-4)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("cat\ndog\n", ("cat", "dog")),
        ("0 cat\n1 dog\n\n", ("cat", "dog")),
        ("0: cat\n1: dog", ("cat", "dog")),
        ("7 cat\n9 dog\n", ("7 cat", "9 dog")),
    ],
)
def test_label_files(tmp_path: Path, text: str, labels: tuple[str, ...]) -> None:
    file = tmp_path / "labels.txt"
    file.write_text(text, encoding="utf-8")
    assert read_labels(file) == labels


@pytest.mark.parametrize(
    ("data", "told"), [(b"", "holds no label"), (b"\xff\xfe\x00", "cannot be read"), (None, "cannot be")]
)
def test_unusable_label_files(tmp_path: Path, data: bytes | None, told: str) -> None:
    file = tmp_path / "labels.txt"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(InputError, match=told):
        read_labels(file)


@pytest.mark.parametrize(
    ("dtype", "shape", "labels", "told"),
    [
        ("uint8", (1, 8, 8, 3), ("a",), r"scores 2 classes, the label file names 1"),
        ("uint8", (1, 8, 8, 1), ("a", "b"), r"one RGB picture"),
        ("int16", (1, 8, 8, 3), ("a", "b"), r"int16: uint8, int8 and float32 can be served"),
    ],
)
def test_models_that_do_not_fit_are_refused(
    dtype: str, shape: tuple[int, ...], labels: tuple[str, ...], told: str
) -> None:
    with pytest.raises(BundleError, match=told):
        PlainClassifier(Recorder(dtype, np.zeros((1, 2), np.float32), shape=shape), labels)
