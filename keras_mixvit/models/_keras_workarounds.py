"""Workarounds for Keras 3.15, and when each can be removed.

Each comment here says what Keras does and when its workaround can go. Other
workarounds are beside the code that needs them:

| where | what Keras 3.15 does | goes away with |
|---|---|---|
| `_kept_steps.py` | loses weights when a JAX step of `evaluate` or `predict` fails | a Keras that puts them back, as `fit` does |
| `_kept_steps.py` | creates the optimizer's variables in the first compiled step on TensorFlow | a Keras that builds it before, as on JAX |
| `_many_steps.py` | runs `steps_per_execution` by a Python loop on JAX | a Keras that scans |
| `layers/_dropout.py`, `_seed_generator.py` | repeats random numbers on every replica of TensorFlow and PyTorch | seeds per replica in Keras |
| `layers/_batch_normalization.py` | has `synchronized=True` on TensorFlow only | that option on every backend |
| `layers/_class_token.py` | refuses a config that it made, where a policy stands in the call | a Keras that reads it |
| `backbones/_normalization.py` | loses the constants of `Normalization` in an export to ONNX | an export that keeps them |
| `data/_batch_reader.py` | reads first batches before `on_epoch_begin` | keras-team/keras pull request 23284, and one start of the workers |
| `models/_frozen_layers.py`, `_quantized_layers.py` | keeps frozen and quantized layers of functional models only | a config that holds both |
"""  # noqa: E501

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import keras

# --- Runs ---------------------------------------------------------------------


def keep_precision_of_inputs(model: keras.Model) -> None:
    """Makes a model take its inputs without a cast.

    Keras casts every input of a layer to the compute dtype. But bfloat16 cannot hold
    the positions of boxes, for example. This is Keras's design, so the workaround
    stays; layers cast their own inputs.
    """
    model.autocast = False


class EpochSetter(keras.callbacks.Callback):
    """Sets the epoch of data sets at the start of each epoch.

    Keras informs a `PyDataset` that an epoch begins, but not which one. Counting fails
    if Keras takes a batch beforehand or you resume a run. Goes away with a Keras that
    passes the number of the epoch.

    Args:
        *datasets: Objects with an attribute `epoch`, counted from 0.
    """

    def __init__(self, *datasets: Any):
        super().__init__()
        self.datasets = datasets

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Sets the epoch of all data sets."""
        for dataset in self.datasets:
            dataset.epoch = epoch


def with_callback(callbacks: Any, *further: keras.callbacks.Callback) -> list:
    """Further callbacks, followed by those of a user.

    Keras assumes that a `CallbackList` already has the model and its parameters. Goes
    away with a Keras that sets them on any list.

    Args:
        callbacks: None, one or several callbacks, or a `CallbackList`.
        *further: Callbacks.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    if callbacks is None:
        callbacks = []
    several = isinstance(callbacks, (list, tuple))
    return [*further, *(callbacks if several else [callbacks])]


def warn_of_workers(data: Any, stacklevel: int) -> None:
    """Warns of a `PyDataset` that Keras would read with several workers.

    To build what is not built yet, Keras takes a first batch. It starts all workers for
    it, and starts them again for the pass itself. Batches left over from the first
    start enter the pass. Goes away with a Keras that starts the workers once.

    Args:
        data: Anything.
        stacklevel: Integer, that of `warnings.warn`.
    """
    if not isinstance(data, keras.utils.PyDataset):
        return
    workers = data.workers
    if workers > 1 or (workers > 0 and data.use_multiprocessing):
        warnings.warn(
            f"Keras {keras.version()} may repeat and lose batches of a PyDataset with "
            f"several workers, in the first pass over it. Received: workers={workers}, "
            f"use_multiprocessing={data.use_multiprocessing}. Use workers=1 and "
            "use_multiprocessing=False. `mixed_pair_dataset` and `ImageSet.batches` "
            "have threads of their own that give the right batches.",
            stacklevel=stacklevel,
        )


# --- Files --------------------------------------------------------------------

# Keras saves every layer that `dir` lists. We save weights with the layers only, so a
# file does not depend on the graphs around them. Goes away with a public way to choose
# what Keras saves.
UNSAVED = ("backbone", "inference_network", "training_network")


def saved_names(names: Iterable[str]) -> list[str]:
    """The names in `dir` of a model, without those that Keras must not save."""
    return [name for name in names if name not in UNSAVED]


# Keras does not save the state of seeds (keras-team/keras issue 19796). Goes away when
# it does. Older files have no seeds.


def save_seeds(model: keras.Model, store: Any) -> None:
    """Writes the seeds of a model into the store of its own variables."""
    for number, state in enumerate(_seed_states(model)):
        store[f"seed_{number}"] = keras.ops.convert_to_numpy(state)


def load_seeds(model: keras.Model, store: Any) -> None:
    """Reads what `save_seeds` wrote."""
    states = _seed_states(model)
    # Before 0.2, the first layer of `MixViT`, its mixing, had an unused seed.
    further = len(store.keys()) - len(states)
    if further in (0, 1):
        for number, state in enumerate(states, start=further):
            state.assign(store[f"seed_{number}"])


def _seed_states(model):
    return [v for v in model.variables if v.name == "seed_generator_state"]


def on_any_backend(config: Any) -> Any:
    """A config whose optimizers load on every backend.

    On PyTorch, Keras writes the module of its own optimizer class, which no other
    backend can load. The public name works on all. Goes away when Keras writes it.
    """
    if isinstance(config, (list, tuple)):
        return [on_any_backend(value) for value in config]
    if not isinstance(config, dict):
        return config
    config = {key: on_any_backend(value) for key, value in config.items()}
    if str(config.get("module")).startswith("keras.src.backend."):
        config.update(module="keras.optimizers", registered_name=None)
    return config


def not_decayed(model: keras.Model) -> list:
    """The variables excluded from weight decay.

    Keras does not save them and has no public way to list them. On TensorFlow, it
    matches the names of TensorFlow's variables. Goes away when Keras saves them.

    Args:
        model: Compiled model.
    """
    optimizer = decaying(model.optimizer)
    decays = getattr(optimizer, "_use_weight_decay", None)
    if decays is None:
        if getattr(optimizer, "weight_decay", None):
            warnings.warn(
                "This version of Keras does not show which variables are excluded "
                "from weight decay: exclude them again after you load the file.",
                stacklevel=2,
            )
        return []
    on_tensorflow = keras.config.backend() == "tensorflow"
    return [
        variable
        for variable in model.trainable_variables
        if not decays(variable.value if on_tensorflow else variable)
    ]


def decaying(optimizer: Any) -> Any:
    """The optimizer that decays the weights, also inside one that scales the loss."""
    return getattr(optimizer, "inner_optimizer", optimizer)


# --- Exports ------------------------------------------------------------------


@contextlib.contextmanager
def exporting(graph: keras.Model, image_shape: tuple, format: str) -> Iterator[None]:
    """Prepares Keras for an export of a graph, within the context."""
    if format == "onnx":
        # Keras cannot write this format for a model that was never called. Goes away
        # with a Keras that takes any built model.
        graph(keras.ops.zeros((1, *image_shape), graph.inputs[0].dtype))
    with warnings.catch_warnings():
        # NumPy 2 warns about a call in Keras. Goes away when Keras changes it.
        warnings.simplefilter("ignore", FutureWarning)
        yield


def export_options(format: str, input_signature: Any) -> dict:
    """Keyword arguments of `keras.Model.export` for a format."""
    if format == "torch" and input_signature is None:
        import torch

        # Keras would fix the batch size at one image. Goes away when Keras leaves it
        # open.
        return {"dynamic_shapes": {0: torch.export.Dim("batch", min=1)}}
    if format == "onnx":
        _register_erfc()
    return {}


def _register_erfc():
    """Teaches tf2onnx to write TensorFlow's exact GELU.

    tf2onnx 1.17 does not know Erfc and writes a node that no runtime supports. Goes
    away with onnx/tensorflow-onnx pull request 2463.
    """
    import numpy as np
    from tf2onnx import utils
    from tf2onnx.handler import tf_op

    @tf_op("Erfc")
    class Erfc:
        """erfc(x) = 1 - erf(x)."""

        @classmethod
        def version_9(cls, ctx, node, **kwargs):
            dtype = utils.map_onnx_to_numpy_type(ctx.get_dtype(node.output[0]))
            shapes, dtypes = node.output_shapes, node.output_dtypes
            ctx.remove_node(node.name)
            erf = ctx.make_node("Erf", node.input, shapes=shapes, dtypes=dtypes)
            one = ctx.make_const(utils.make_name("one"), np.ones((), dtype))
            ctx.make_node(
                "Sub",
                [one.output[0], erf.output[0]],
                outputs=node.output,
                shapes=shapes,
                dtypes=dtypes,
            )
