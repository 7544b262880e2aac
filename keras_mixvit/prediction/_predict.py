import os
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from keras_mixvit._checks import require
from keras_mixvit.data import ImageSet
from keras_mixvit.models import MIMOModel
from keras_mixvit.prediction._answers import answered
from keras_mixvit.prediction._inputs import Inputs
from keras_mixvit.prediction._opened import Opened, require_held_out
from keras_mixvit.prediction._options import MAX_PIXELS, Options
from keras_mixvit.prediction._prediction import Prediction
from keras_mixvit.prediction._read_ahead import PART, read_ahead
from keras_mixvit.prediction._runs import bar


def predict(
    run: str | os.PathLike | MIMOModel | Sequence[str | os.PathLike],
    images: Any,
    top: int = 3,
    sets: float | None = None,
    temperature: float | None = None,
    batch_size: int = 64,
    workers: int = 1,
    max_pixels: int = MAX_PIXELS,
    held_out: ImageSet | None = None,
    verbose: bool = False,
) -> Iterator[Prediction]:
    """Predicts images of any size and colours, one after the other.

    Images are prepared as the training images were: files are turned upright,
    converted to grey or RGB, and resized as `ImageSource` says. The arguments are
    checked at once; images are read in threads and predicted in batches as you take
    the predictions, so the memory does not depend on their number. An image that
    cannot be read has a `Prediction` with an `error`.

    Several runs are one ensemble, the mean over all subnetworks of all runs. One
    temperature calibrates this mean. It is fitted on the validation images that all
    runs held out; without these, each run keeps its own temperature.

    An image is `unlike_training` if its energy (see `ood_scores`; the entropy if a
    model averages probabilities), computed at temperature 1, is above that of 95 % of
    the validation images of the run. A prediction set comes from `ConformalSets`,
    method `"lac"`, fitted on the same images at temperature 1. Both are stored in
    `prediction.json`, beside the first model, by `evaluate_run` or when they are first
    needed. From then on, the images of the run need not be there.

    Args:
        run: Path of the folder of a run, of a `.keras` file or of a preset;
            `"hf://owner/name"`, a preset of the hub; a model; or a sequence of paths
            and names, which are an ensemble.
        images: Path of an image file, of a folder of image files, or of a `.npz` or
            `.npy` file; list of such paths; array `(n, H, W, C)`, `ImageSource` or
            `ImageSet`. uint8 images of any size are resized. If a `.npz` file has
            several arrays, it takes `images`, `x` or `x_test`.
        top: Positive integer, how many classes a prediction names. Defaults to `3`.
        sets: Float in (0, 1), the rate at which prediction sets may miss the true
            class, or `None` for no sets. Defaults to `None`.
        temperature: Positive float, by which logits are divided, or `None` for the
            temperature that is saved with the model, or that of several runs. Defaults
            to `None`.
        batch_size: Positive integer, images per step. Defaults to `64`.
        workers: Integer, threads that read images ahead; `0` reads on request.
            Defaults to `1`.
        max_pixels: Positive integer, the largest number of pixels of an image file that
            is decoded: even a small file can fill the memory when it is decoded.
            Defaults to `89478485`.
        held_out: `ImageSet` of images that neither trained nor chose the model, instead
            of the validation images of the run. A model that does not belong to a run
            has no others. Nothing is stored then. Defaults to `None`.
        verbose: Boolean, whether a progress bar is shown on a terminal. Defaults to
            `False`.

    Returns:
        Iterator of `Prediction`, in the order of the images.

    Raises:
        ValueError: If there is no such run, runs do not fit together, there are no
            images or they do not fit the model, or there are no held-out images
            for `sets`.

    Example:

    ```python
    model = MixViT(ConViT((8, 8, 1), 2, 8, 2, 1, 1), num_classes=10)
    val, test = load("digits", "val"), load("digits", "test")
    found = list(predict(model, test.images[:5], held_out=val, sets=0.1))
    assert found[0].image == "images[0]" and len(found[0].classes) == 3
    assert found[0].unlike_training in (True, False)
    ```

    References:
        Liu et al., Energy-based Out-of-distribution Detection, 2020; Sadinle, Lei
        and Wasserman, Least Ambiguous Set-Valued Classifiers With Bounded Error
        Levels, 2019.
    """
    options = Options(top, sets, temperature, batch_size, workers, max_pixels)
    return predictions(run, images, options, held_out, verbose)


def predictions(
    run: Any,
    images: Any,
    options: Options,
    held_out: ImageSet | None = None,
    verbose: bool = False,
    tell: Callable[[str], None] = lambda sentence: None,
) -> Generator[Prediction, None, None]:
    """The predictions of `predict`; calls `tell` with a sentence on what is missing."""
    require_held_out(held_out)
    require(isinstance(verbose, bool), "`verbose` must be a boolean.", verbose=verbose)
    opened = Opened(run, options.temperature, tell)
    inputs = Inputs(images, opened.image_shape, opened.dtype)
    answers = opened.answers(options, held_out, verbose)
    return _streamed(inputs, answers, options, verbose)


def _streamed(inputs, answers, options, verbose):
    waiting = 2 * options.workers + -(-options.batch_size // PART)
    parts = inputs.parts(options.max_pixels)
    images = read_ahead(parts, options.workers, waiting)
    about = f"Predicting {len(inputs):,} images"
    try:
        with bar(about, len(inputs), verbose) as advance:
            for found in answered(images, answers.of_batch, options.batch_size):
                advance()
                yield found
    finally:
        # A caller may have stopped early: its threads end.
        images.close()
