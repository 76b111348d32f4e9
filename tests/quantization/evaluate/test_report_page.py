"""The page: whole in itself, well formed, and every picture and chart has words for those who cannot see it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from quantization.evaluate import unknown
from quantization.evaluate.figures import worst_parts
from quantization.evaluate.looks import UnseenLooks
from quantization.evaluate.pictures import write_pictures
from quantization.evaluate.report import Subject, render_report
from quantization.evaluate.speed import Speed

VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """What stands in a page; closing tags must fit."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words += data

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


RIDDEN = {
    "looks": [1, 3],
    "shares": [0.01, 0.05],
    "least": [[0.1, 0.2], [0.3, 0.4]],
    "size_weight": 0.5,
    "least_with_size": [[1.1, 1.2], [1.3, 1.4]],
    "belt": {
        "rejected": [[0.111, 0.122], [0.211, 0.222]],
        "false_rejection": [[0.011, 0.012], [0.051, 0.052]],
        "rejected_with_size": [[0.311, 0.322], [0.411, 0.422]],
        "false_rejection_with_size": [[0.013, 0.014], [0.053, 0.054]],
    },
}
"""What `quantization.evaluate.unknown_tracks.fit` finds."""


class Renders:
    """A red rectangle for each family, as a set of renders gives it."""

    family = np.arange(4)
    elevation_deg = np.full(4, 45.0)
    transparent = np.zeros(4, bool)

    def picture(self, index):
        layers = np.zeros((40, 40, 4), np.uint8)
        layers[..., 2] = 255
        layers[10:30, 5 : 15 + 5 * index, [0, 3]] = 200
        return layers


@pytest.fixture
def pictures(tmp_path, model_scores):
    unseen = model_scores.unseen
    looks = UnseenLooks(unseen.families, unseen.looks_a_part, lambda index: np.full((40, 40, 3), index % 256, np.uint8))
    answers = unseen.logits.argmax(1)
    worst = worst_parts(answers, unseen.families)
    write_pictures(tmp_path / "pictures", model_scores.numbers, worst, Renders(), looks, answers)
    return tmp_path / "pictures"


@pytest.fixture
def subject(model_scores, tmp_path):
    (tmp_path / "model.tflite").write_bytes(bytes(2_000_000))
    return Subject(
        title="Brickgate small",
        input_px=64,
        evaluation={"unsure_below": 0.7, "unknown": unknown.fit(model_scores.unseen.logits, model_scores) | RIDDEN},
        files={"int8": tmp_path / "model.tflite"},
        speeds={"int8": [Speed(1, 1.25, 1.5), Speed(2, 0.75, 1.0)]},
        computer="a computer",
        layout="beginner-4",
        groups=(0, 0, 2, 3),
    )


def test_the_page_is_whole_in_itself(model_scores, subject, pictures):
    text = render_report(model_scores, subject, pictures, pytest.fail)
    page = Page(text)
    assert not page.all("script") and not page.all("link")
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert re.findall(r"url\(|@import", text) == []
    assert {anchor["href"] for anchor in page.all("a")} <= {
        "#how", "https://www.ldraw.org", "https://creativecommons.org/licenses/by/4.0/",
    }  # fmt: skip
    assert page.all("html")[0]["lang"] == "en"
    assert page.all("meta")[1]["content"].startswith("width=device-width")


def test_pictures_and_charts_have_words(model_scores, subject, pictures):
    page = Page(render_report(model_scores, subject, pictures, pytest.fail))
    assert len(page.all("img")) >= 5
    assert all(image["alt"] for image in page.all("img"))
    charts = page.all("svg")
    assert len(charts) == 5
    assert all(chart["role"] == "img" and len(chart["aria-label"]) > 20 for chart in charts)
    assert all("scope" in cell for cell in page.all("th"))


def test_the_page_says_what_was_measured(model_scores, subject, pictures):
    words = Page(render_report(model_scores, subject, pictures, pytest.fail)).words
    exact = (model_scores.unseen.logits.argmax(1) == model_scores.unseen.families).mean()
    for said in (
        f"{100 * exact:.1f} %", "right bin of 4", "tempered product", "majority", "some-photos", "CC BY 4.0",
        "one look, without bottom", "3003 Brick 2 x 2 <odd> & more", "2.00", "1.25", "0.75", "Odd part", "a computer",
    ):  # fmt: skip
        assert said in words, said
    assert " nan" not in words.lower()


def test_the_page_says_how_many_unknown_parts_are_noticed_on_the_belt(model_scores, subject, pictures):
    words = Page(render_report(model_scores, subject, pictures, pytest.fail)).words
    for said in ("11.1 %", "22.2 %", "31.1 %", "42.2 %", "1.2 %", "5.4 %", "reject_unknown: 0.05", "1 look", "3 looks"):
        assert said in words, said


def test_a_missing_picture_is_said_in_a_line_and_left_out(model_scores, subject, pictures):
    (pictures / "3003.jpg").unlink()
    said: list[str] = []
    page = Page(render_report(model_scores, subject, pictures, said.append))
    assert said and all(
        re.search(r"3003\.jpg cannot be read \(No such file.*\): left out; 'brick", line) for line in said
    )
    assert "no picture" in page.words


def test_a_model_without_mistakes_has_no_worst_parts(perfect_scores, subject, pictures):
    words = Page(render_report(perfect_scores, subject, pictures, pytest.fail)).words
    assert "None: every look was named right." in words
    assert "None were given to the evaluation" in words


def test_pictures_show_the_part_and_its_mistaken_looks(pictures):
    names = sorted(file.name for file in pictures.iterdir())
    assert {"3001.jpg", "3003.jpg", "3003-mistaken-0.jpg", "3003-mistaken-2.jpg"} <= set(names)
    portrait = cv2.imread(str(pictures / "3003.jpg"))
    assert portrait.shape == (96, 96, 3)
    blue, _, red = portrait[48, 30].astype(int)
    assert red > blue + 60
