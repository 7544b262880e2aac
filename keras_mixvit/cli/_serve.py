"""The command `keras-mixvit serve`."""

import contextlib
import signal
import sys
import threading

from keras_mixvit._checks import require
from keras_mixvit.cli._help import add_command
from keras_mixvit.cli._shared_options import add_max_pixels, add_sets, add_temperature
from keras_mixvit.prediction._options import Options
from keras_mixvit.prediction._serve_options import (
    HOST,
    MAX_UPLOAD,
    PORT,
    Place,
    require_gradio,
)
from keras_mixvit.prediction._words import run_place
from keras_mixvit.prediction._writers import printable


def add_serve(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = add_command(
        commands,
        "serve",
        help="serve a page that predicts the images you drop on it",
        description="Serves a page on this machine. You drop an image on it and see "
        "the likeliest classes, how certain they are, what each subnetwork says, and "
        "where a transformer looks. Several runs are one ensemble. Ctrl+C stops it.",
        example="serve runs/first",
        usage="RUN [RUN ...] [options]",
    )
    command.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="folder with a model.keras, a .keras file, or a preset",
    )
    command.add_argument(
        "--port",
        type=int,
        default=PORT,
        metavar="N",
        help=f"port of the page; 0 takes a free one (default: {PORT})",
    )
    command.add_argument(
        "--host",
        default=HOST,
        help=f"address of this machine (default: {HOST}, which no other machine "
        "reaches; with 0.0.0.0 every machine can reach it, without a password)",
    )
    command.add_argument(
        "--max-upload",
        type=float,
        default=MAX_UPLOAD,
        metavar="MIB",
        help=f"the largest size of a file, in MiB (default: {MAX_UPLOAD})",
    )
    more = command.add_argument_group("more options")
    more.add_argument(
        "--top",
        type=int,
        default=5,
        metavar="N",
        help="how many classes to name (default: 5)",
    )
    add_sets(more)
    add_temperature(more)
    add_max_pixels(more)


def check_serve(
    runs: list[str], host: str, port: int, max_upload: float, **options
) -> None:
    """Refuses runs that are not there, options out of range, and a taken port."""
    Options(**options)
    place = Place(host, port, max_upload)
    places = [run_place(run) for run in runs]
    require(
        len(set(places)) == len(places),
        "`runs` must not hold one run twice.",
        runs=runs,
    )
    require_gradio()
    place.free_port()


def run_serve(
    runs: list[str], host: str, port: int, max_upload: float, **options
) -> int:
    """Serves the page until an interruption."""
    from keras_mixvit.prediction._serve import opened_page

    place = Place(host, port, max_upload)
    chosen = Options(**options)
    with _ended_as_by_ctrl_c():
        page = opened_page(runs, place, chosen, verbose=True, tell=_tell)
        with page:
            if not place.is_local:
                _tell("Other machines may reach this page; it has no password.")
            print(f"Page: {page.url}  (Ctrl+C ends it)", flush=True)
            page.wait()
    return 0


@contextlib.contextmanager
def _ended_as_by_ctrl_c():
    """A context in which SIGTERM, too, leaves time to delete the uploads."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(sentence):
    print(f"keras-mixvit: {printable(sentence)}", file=sys.stderr)
