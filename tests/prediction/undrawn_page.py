"""A page without Gradio, which need not be there: nothing is drawn or launched."""

import contextlib
from unittest import mock

from keras_mixvit.prediction import _serve, serve


def undrawn_page(run, **options):
    """What `serve` gives, closed."""
    with contextlib.ExitStack() as stack:
        for name in ("require_gradio", "_app", "_launch"):
            stack.enter_context(mock.patch.object(_serve, name))
        page = serve(run, **{"port": 0, "block": False, **options})
        page.close()
    return page
