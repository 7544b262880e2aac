"""The runs of a report, judged on the same images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_mixvit._checks import require
from keras_mixvit.costs import flops
from keras_mixvit.data import ImageSet
from keras_mixvit.evaluation._evaluate import Judged, judged
from keras_mixvit.models import MIMOModel, load_model
from keras_mixvit.report._histories import intact_histories
from keras_mixvit.report._options import Options
from keras_mixvit.training._found_runs import RESULT, model_file
from keras_mixvit.training._ood_sets import load_ood
from keras_mixvit.training._run_facts import fingerprint
from keras_mixvit.training._run_files import read_report, read_result
from keras_mixvit.training._run_images import RunImages
from keras_mixvit.training._run_rows import BASELINES, name_of
from keras_mixvit.training._run_settings import RunSettings


@dataclass
class JudgedNetwork:
    """A network of a run, and what it predicts.

    Args:
        place: String, the folder of its files in that of the run, `"."` for the
            method.
        name: String, its name in tables.
        judged: `Judged`.
        parameters: Integer.
        flops: Integer, those of one image, or `None` if they are not known.
        seconds: Float, the time of its training.
    """

    place: str
    name: str
    judged: Judged
    parameters: int
    flops: int | None
    seconds: float


@dataclass
class JudgedRun:
    """A run, judged.

    Args:
        label: String, its name on the page.
        folder: Path.
        settings: `RunSettings`.
        result: Dict of its `result.json`.
        model: The network of the method.
        networks: List of `JudgedNetwork`: the baselines, then the method.
        histories: Dict from names of networks to paths of their learning curves.
    """

    label: str
    folder: Path
    settings: RunSettings
    result: dict[str, Any]
    model: MIMOModel
    networks: list[JudgedNetwork]
    histories: dict[str, Path]

    @property
    def own(self) -> JudgedNetwork:
        """The network of the method."""
        return self.networks[-1]


@dataclass
class JudgedRuns:
    """Runs that are judged on the same images.

    Args:
        runs: List of `JudgedRun`.
        data: String, the name of the set of the images.
        split: String, their split.
        images: `ImageSet`.
        ood: Dict from names to `ImageSet`, of images out of the distribution.
    """

    runs: list[JudgedRun]
    data: str
    split: str
    images: ImageSet
    ood: dict[str, ImageSet]

    def name(self, run: JudgedRun, name: str) -> str:
        """The name of a network, with that of its run if there are several."""
        return name if len(self.runs) == 1 else f"{run.label}: {name}"


def judge_runs(options: Options, verbose: str | int) -> JudgedRuns:
    """Judges the networks of runs, after all checks.

    Args:
        options: `Options`.
        verbose: As in `keras.Model.predict`.

    Raises:
        ValueError: If runs are damaged, or data do not fit.
    """
    files = [model_file(run) for run in options.paths]
    found = [_settings_of(file.parent) for file in files]
    curves = [
        intact_histories(file.parent, settings.trainings())
        for file, (settings, _) in zip(files, found, strict=True)
    ]
    of_runs = [RunImages(file, options.data) for file in files]
    split, name = of_runs[0].plan.judged, of_runs[0].name
    images = _same_images(of_runs, options)
    networks = [
        _models(file.parent, settings, images)
        for file, (settings, _) in zip(files, found, strict=True)
    ]
    first = networks[0]["."]
    ood = load_ood(
        options.ood, name, images.images, first.image_shape, **of_runs[0].where
    )
    runs = []
    for label, file, (settings, result), models, histories in zip(
        options.labels(), files, found, networks, curves, strict=True
    ):
        seconds = _seconds(file.parent, settings, models)
        each = [
            _network(place, model, seconds[place], images, ood, options, verbose)
            for place, model in models.items()
        ]
        own = models["."]
        runs.append(
            JudgedRun(label, file.parent, settings, result, own, each, histories)
        )
    return JudgedRuns(runs, name, split, images, ood)


def _settings_of(folder):
    return RunSettings.read(folder), read_result(folder / RESULT)


def _same_images(of_runs: Sequence[RunImages], options: Options) -> ImageSet:
    """The images that judge all runs."""
    first, *others = of_runs
    require(
        first.plan.judged != "train" or options.data is not None,
        "`data` must have a test or a validation split.",
        data=first.name,
    )
    images = first.load(first.plan.judged)
    known = fingerprint({"judged": images})
    for other, run in zip(others, options.paths[1:], strict=True):
        # Of given images there is one set.
        same = options.data is not None or (
            fingerprint({"judged": other.load(other.plan.judged)}) == known
        )
        require(
            same,
            "`runs` must be judged on the same images; `data` can name other images "
            "for all runs.",
            runs=[str(options.paths[0]), str(run)],
            data=[first.name, other.name],
        )
    return images


def _models(folder, settings, images) -> dict[str, MIMOModel]:
    """The networks of a run that are there, its own last."""
    places = [place for place in settings.trainings() if place in BASELINES]
    places = [place for place in places if (folder / place / "model.keras").is_file()]
    models = {place: load_model(folder / place / "model.keras") for place in places}
    models["."] = load_model(folder / "model.keras")
    for model in models.values():
        fits = {
            "image_shape": (model.image_shape, tuple(images.images.shape[1:])),
            "num_classes": (model.num_classes, images.num_classes),
        }
        for name, (wanted, got) in fits.items():
            require(
                wanted == got,
                f"`data` must have images of shape {model.image_shape} and "
                f"{model.num_classes} classes, as the model of the run has.",
                run=str(folder),
                **{name: got},
            )
    return models


def _seconds(folder, settings, models):
    """The time of each training in seconds."""
    places = list(settings.trainings())
    found = {
        place: float(read_report(folder / place / "report.json")["seconds"])
        for place in places
        if (folder / place / "report.json").is_file()
    }
    members = [found[place] for place in found if place.startswith("member-")]
    return {place: found.get(place, sum(members)) for place in models}


def _network(place, model, seconds, images, ood, options, verbose) -> JudgedNetwork:
    found = judged(
        model,
        images,
        all_schemes=False,
        batch_size=options.batch_size,
        verbose=verbose,
        ood=ood or None,
        bootstrap=options.bootstrap,
        ood_intervals=False,
    )
    return JudgedNetwork(
        place,
        name_of(place, model),
        found,
        model.count_params(),
        _flops(model),
        seconds,
    )


def _flops(model):
    """The FLOPs of one image, or `None` if a layer has no rule."""
    try:
        return flops(model).total.flops
    except ValueError:
        return None
