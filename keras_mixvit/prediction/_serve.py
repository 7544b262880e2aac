import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from keras_mixvit._checks import require
from keras_mixvit.data import ImageSet
from keras_mixvit.models import MIMOModel
from keras_mixvit.prediction._look import Looker
from keras_mixvit.prediction._opened import require_held_out
from keras_mixvit.prediction._options import MAX_PIXELS, Options
from keras_mixvit.prediction._page_html import STYLE, heading, page_of
from keras_mixvit.prediction._serve_options import (
    HOST,
    MAX_UPLOAD,
    PORT,
    Place,
    require_gradio,
)

# Gradio reads them when it is imported, and Hugging Face's client, which it imports.
SILENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
# Seconds: how often uploads are looked at, and how old they become.
DELETE = (60, 600)
# Fonts of the reader's system.
FONTS = ["system-ui", "sans-serif"]
MONOSPACE = ["ui-monospace", "monospace"]


class Page:
    """A page that is being served, until it is closed.

    Args:
        app: Gradio's `Blocks`, which was launched.
        url: String, where the page is.
        close: Function that ends it.
    """

    def __init__(self, app: Any, url: str, close: Callable[[], None]):
        self.app, self.url, self.close = app, url, close

    def wait(self) -> None:
        """Waits until the process is interrupted."""
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                # Without an end, Windows would not let Ctrl-C through.
                time.sleep(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def serve(
    run: str | os.PathLike | MIMOModel | Sequence[str | os.PathLike],
    host: str = HOST,
    port: int = PORT,
    max_upload: float = MAX_UPLOAD,
    top: int = 5,
    sets: float | None = None,
    temperature: float | None = None,
    max_pixels: int = MAX_PIXELS,
    held_out: ImageSet | None = None,
    block: bool = True,
) -> Page | None:
    """Serves a page on which you drop an image and see what a run says about it.

    The page shows the likeliest classes with calibrated probabilities, how certain
    they are, the answer of each subnetwork, and where the subnetworks of a transformer
    look. Images are prepared and predicted as `predict` does. Only this machine
    reaches the page, unless `host` is another address; there is no password.
    Uploads are deleted after ten minutes, and when the page closes. Needs the extra
    `demo`.

    Args:
        run: Path of the folder of a run or of a `.keras` file, a model, or a
            sequence of paths, which are an ensemble.
        host: String, the address of this machine on which the page is served;
            `"0.0.0.0"` lets other machines reach it. Defaults to `"127.0.0.1"`.
        port: Integer from 0 to 65535; `0` takes a free one. Defaults to `7860`.
        max_upload: Positive float, the largest size of an uploaded file, in MiB.
            Defaults to `10`.
        top: Positive integer, how many classes are named. Defaults to `5`.
        sets: What `predict` takes: a rate adds the set of possible classes. Defaults
            to `None`.
        temperature: What `predict` takes. Defaults to `None`.
        max_pixels: Positive integer, the largest number of pixels of an image file
            that is decoded. Defaults to `89478485`.
        held_out: `ImageSet` in place of the validation images of the run. Defaults
            to `None`.
        block: Boolean, whether the call ends when you interrupt it; otherwise it
            returns at once. Defaults to `True`.

    Returns:
        With `block=False`, an object with the string `url` and the method `close`,
        which is a context manager, too; else `None`.

    Raises:
        ValueError: If there is no such run, it takes no image files, an argument is
            out of its range, or the port is taken.
        ModuleNotFoundError: If Gradio is not installed.

    Example:

    ```python
    model = MixViT(ConViT((8, 8, 1), 2, 8, 2, 1, 1), num_classes=10)
    with serve(model, port=0, block=False) as page:
        assert page.url.startswith("http://127.0.0.1:")
    ```

    References:
        Abid et al., Gradio: Hassle-Free Sharing and Testing of ML Models in the Wild,
        2019.
    """
    require(isinstance(block, bool), "`block` must be a boolean.", block=block)
    options = Options(
        top=top, sets=sets, temperature=temperature, max_pixels=max_pixels
    )
    page = opened_page(run, Place(host, port, max_upload), options, held_out)
    if not block:
        return page
    with page:
        page.wait()
    return None


def opened_page(
    run: Any,
    place: Place,
    options: Options,
    held_out: ImageSet | None = None,
    verbose: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Page:
    """The page of `serve`, which is there when this returns.

    Args:
        run: What `serve` takes.
        place: `Place`.
        options: `Options`.
        held_out: What `serve` takes. Defaults to `None`.
        verbose: Boolean, whether a terminal shows the progress. Defaults to `False`.
        tell: Function to call with a sentence on what is missing, or `None`. Defaults
            to `None`.
    """
    require_held_out(held_out)
    require_gradio()
    place.free_port()
    looker = Looker(run, options, held_out, verbose, tell)
    runs = list(run) if isinstance(run, (list, tuple)) else [run]
    names = [each.name if isinstance(each, MIMOModel) else str(each) for each in runs]
    port = place.free_port()
    with contextlib.ExitStack() as stack:
        folder = tempfile.TemporaryDirectory(prefix="keras_mixvit-page-")
        uploads = stack.enter_context(folder)
        # Gradio looks at it with every upload.
        stack.enter_context(_environment({**SILENT, "GRADIO_TEMP_DIR": uploads}))
        app = _app(looker, names, place)
        stack.callback(app.close, verbose=False)
        # It asks its own server whether it is there: by no proxy.
        with _environment({"NO_PROXY": "*", "no_proxy": "*"}):
            _launch(app, place, port)
        shown = f"[{place.host}]" if ":" in place.host else place.host
        return Page(app, f"http://{shown}:{port}", stack.pop_all().close)


def _app(looker, names, place):
    import gradio

    count = len(looker.answers.classes)

    def answer(path):
        return "" if path is None else page_of(looker.look(path), count)

    with gradio.Blocks(
        analytics_enabled=False, title="keras_mixvit", delete_cache=DELETE
    ) as app:
        gradio.HTML(heading(names, looker.notes))
        upload = gradio.File(
            label=f"Image, at most {place.max_upload:g} MiB",
            file_types=["image"],
            height=140,
        )
        found = gradio.HTML()
        # One after the other: the network answers one image at once.
        upload.change(
            answer, upload, found, concurrency_limit=1, api_visibility="private"
        )
    return app


def _launch(app, place, port):
    import gradio

    app.launch(
        server_name=place.host,
        server_port=port,
        max_file_size=place.max_bytes,
        theme=gradio.themes.Default(font=FONTS, font_mono=MONOSPACE),
        css=STYLE,
        share=False,
        inline=False,
        quiet=True,
        prevent_thread_lock=True,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        footer_links=[],
    )


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """A context with other environment variables."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
