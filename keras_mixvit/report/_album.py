"""The images of a run that a report shows, with what the network predicts of them."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_mixvit.data import ImageFolder, ImageSet
from keras_mixvit.report._examples import (
    PAIRS,
    Predictions,
    confusion_counts,
    confusions,
    galleries,
    images_of_pair,
)
from keras_mixvit.report._judged_runs import JudgedRun
from keras_mixvit.report._pictures import (
    attention_of,
    displayed,
    overlaid,
    png_uri,
)
from keras_mixvit.report._tables import number, percent


@dataclass
class Card:
    """An image on the page.

    Args:
        uri: String, the picture.
        alt: String, what it is.
        name: String, which image it is.
        lines: List of pairs of a name and words: classes and confidences.
        maps: List of pairs of a name and a picture: attention.
    """

    uri: str
    alt: str
    name: str
    lines: list[tuple[str, str]]
    maps: list[tuple[str, str]]


class Album:
    """The images of a run that a report shows, chosen at once, drawn later.

    Args:
        run: `JudgedRun`.
        images: `ImageSet`, the judged images.
        examples: Integer, the most images of a gallery.
    """

    def __init__(self, run: JudgedRun, images: ImageSet, examples: int):
        self.images = images
        group = run.own.judged.first
        self.found = Predictions.of(group, images.labels)
        self.counts = confusion_counts(group, images.labels)
        self.chosen = galleries(self.found, examples)
        self.confusions = confusions(self.counts, max(examples, PAIRS))
        self.pairs = [
            images_of_pair(self.found, pair["true"], pair["predicted"])
            for pair in self.confusions[:PAIRS]
        ]
        shown = [*self.chosen.values(), *self.pairs]
        places = np.unique(np.concatenate(shown)).astype(int)
        self._place = {int(i): n for n, i in enumerate(places)}
        pixels = np.asarray(images.images[places])
        self._attention = attention_of(run.model, pixels)
        self._pixels = displayed(pixels)

    @property
    def num_pictures(self) -> int:
        """How many pictures the album draws."""
        maps = 0 if self._attention is None else self._attention.shape[1]
        cards = sum(len(chosen) for chosen in self.chosen.values())
        return (1 + maps) * cards + sum(map(len, self.pairs))

    @property
    def has_attention(self) -> bool:
        """Whether cards have maps of attention."""
        return self._attention is not None

    def class_name(self, k: int) -> str:
        """The name of a class."""
        return str(self.images.class_names[k])

    def name(self, i: int) -> str:
        """The name of an image: that of its file, or its place."""
        source = self.images.images
        if isinstance(source, ImageFolder):
            return str(source.files[int(i)]).replace(os.sep, "/")
        return f"image {int(i):,}"

    def cards(self, gallery: str, side: int) -> list[Card]:
        """The images of a gallery, with maps of attention.

        Args:
            gallery: String, a name of `galleries`.
            side: Integer, the longest side of a picture.
        """
        return [self._card(int(i), side, True) for i in self.chosen[gallery]]

    def pair_cards(self, side: int) -> list[dict[str, Any]]:
        """The most frequent confusions, with images.

        Args:
            side: Integer, the longest side of a picture.
        """
        return [
            {
                "true": self.class_name(pair["true"]),
                "predicted": self.class_name(pair["predicted"]),
                "samples": pair["samples"],
                "cards": [self._card(int(i), side, False) for i in places],
                "confidences": [percent(self.found.confidence[i], 0) for i in places],
            }
            for pair, places in zip(self.confusions, self.pairs, strict=False)
        ]

    def numbers(self) -> dict[str, Any]:
        """What the network predicts of the images of each gallery, for JSON."""
        return {
            name: [{**self.found.about(i), "name": self.name(i)} for i in places]
            for name, places in self.chosen.items()
        }

    def _card(self, i, side, is_whole):
        about = self.found.about(i)
        true, predicted = (self.class_name(about[key]) for key in ("true", "predicted"))
        pixels = self._pixels[self._place[i]]
        alt = f"{self.name(i)}, labelled {true}"
        lines = [("label", true)]
        lines.append(("predicted", f"{predicted} ({percent(about['confidence'], 0)})"))
        if not is_whole:
            return Card(png_uri(pixels, side), alt, self.name(i), lines, [])
        for part in about.get("parts", ()):
            name, share = self.class_name(part["predicted"]), part["confidence"]
            lines.append((part["part"], f"{name} ({percent(share, 0)})"))
        if "mutual_information" in about:
            lines.append(("mutual information", number(about["mutual_information"])))
        return Card(
            *(png_uri(pixels, side), alt, self.name(i), lines),
            self._maps(i, pixels, side),
        )

    def _maps(self, i, pixels, side):
        if self._attention is None:
            return []
        weights = self._attention[self._place[i]]
        several = len(weights) > 1
        return [
            (
                f"attention of subnetwork {s}" if several else "attention",
                png_uri(overlaid(pixels, each, float(weights.max())), side),
            )
            for s, each in enumerate(weights)
        ]
