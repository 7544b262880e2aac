"""The command `keras-mixvit predict`."""

import contextlib
import os
import sys
import time

from keras_mixvit._checks import require
from keras_mixvit._exit_status import UNREAD
from keras_mixvit.cli._help import add_command
from keras_mixvit.cli._shared_options import add_max_pixels, add_sets, add_temperature
from keras_mixvit.prediction._options import Options
from keras_mixvit.prediction._words import runs_and_images
from keras_mixvit.prediction._writers import FORMATS, printable, writer_for

# Seconds after which what is written is there to be read.
SOON = 0.2


def add_predict(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = add_command(
        commands,
        "predict",
        help="predict images: classes, calibrated probabilities, uncertainty",
        description="Predicts images of any size and colours. The first words are "
        "runs: folders with a model.keras, .keras files, or presets (a folder, or "
        "hf://owner/name). Several runs are one ensemble. "
        "The other words are images: files, folders of files, .npz or .npy files of an "
        "array. Ends with status 3 if some images could not be read.",
        example="predict runs/first photos/ --format csv > photos.csv",
        usage="RUN [RUN ...] IMAGE|FOLDER|FILE.npz ... [options]",
    )
    command.add_argument(
        "words", nargs="+", metavar="RUN_OR_IMAGES", help="runs, then images"
    )
    command.add_argument(
        "--top",
        type=int,
        default=3,
        metavar="N",
        help="how many classes to name (default: 3)",
    )
    add_sets(command)
    command.add_argument(
        "--format",
        choices=FORMATS,
        help="what to write (default: by the suffix of --output, else a table)",
    )
    command.add_argument(
        "--output", metavar="FILE", help="file to write (default: the standard output)"
    )
    more = command.add_argument_group("more options")
    add_temperature(more)
    more.add_argument(
        "--batch-size",
        type=int,
        default=64,
        metavar="B",
        help="images per step (default: 64)",
    )
    more.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="threads that read images ahead (default: 1; more for a fast device)",
    )
    add_max_pixels(more)


def check_predict(words: list[str], output: str | None, **options) -> None:
    """Refuses what is not there, options out of range, and an output in the way."""
    del options["format"]
    Options(**options)
    _, images = runs_and_images(words)
    if output is not None:
        folder = os.path.dirname(output) or os.curdir
        require(
            os.path.isdir(folder) and not os.path.isdir(output),
            "`output` must be a file in a folder that exists.",
            output=output,
        )
        require(
            not any(_is_same(output, image) for image in images),
            "`output` must not be one of the files of images.",
            output=output,
        )


def run_predict(
    words: list[str], format: str | None, output: str | None, **options
) -> int:
    """Predicts, and writes the predictions as they come."""
    from keras_mixvit.prediction._predict import predictions

    runs, images = runs_and_images(words)
    if format is None:
        suffix = os.path.splitext(output or "")[1].lstrip(".").lower()
        format = suffix if suffix in FORMATS else "table"
    chosen = Options(**options)
    # Rows on the terminal show the progress themselves.
    verbose = output is not None or not sys.stdout.isatty()
    found = predictions(runs, images, chosen, verbose=verbose, tell=_tell)
    unread = count = 0
    with contextlib.ExitStack() as stack:
        stack.callback(found.close)
        stream = sys.stdout
        if output is not None:
            stream = stack.enter_context(
                open(output, "w", encoding="utf-8", newline="")
            )
        writer = writer_for(format, stream, chosen.top, chosen.sets is not None)
        flushed = time.monotonic()
        for prediction in found:
            count += 1
            if prediction.error is not None:
                unread += 1
                _tell(f"{prediction.image}: {prediction.error}")
            writer.write(prediction)
            if time.monotonic() - flushed > SOON:
                stream.flush()
                flushed = time.monotonic()
        writer.close()
    if unread:
        _tell(f"{unread:,} of {count:,} images have no prediction.")
    return UNREAD if unread else 0


def _tell(sentence):
    print(f"keras-mixvit: {printable(sentence)}", file=sys.stderr)


def _is_same(one, other):
    return os.path.exists(one) and os.path.samefile(one, other)
