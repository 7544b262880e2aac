"""What is done alike on one device and on several, and compared.

Each scenario gives what JSON can hold. `python -m tests.distribution.scenarios`
runs some of them in the context that its arguments name.
"""

import json
import os
import sys

import keras
import numpy as np

from keras_mixvit import MixViT, evaluate, mixed_pair_dataset
from keras_mixvit.augmentation import Augment, HorizontalFlip, PadCrop
from keras_mixvit.data import PixelMixing
from keras_mixvit.distribution import data_parallel, model_parallel
from keras_mixvit.layers import StochasticDepth
from keras_mixvit.metrics import NLL, SubnetworkNLL
from tests.helpers import LOSS, images, set_weights, tiny_convit
from tests.models.test_golden_trajectory import model_for

# No number of devices divides it, and it ends in a batch of its own.
UNEVEN = 13


def plain(history):
    return {name: [float(v) for v in values] for name, values in history.items()}


def trained(case, **options):
    """The golden trajectory of a case, validated and judged on uneven data."""
    model = model_for(case)
    set_weights(model)
    model.compile(
        keras.optimizers.SGD(0.02, **options),
        LOSS,
        metrics=[SubnetworkNLL()],
        weighted_metrics=["accuracy", NLL()],
    )
    x, y = images(32), np.arange(32) % 5
    pairs = mixed_pair_dataset(
        x, y, model.mask_sampler(), epochs=3, batch_size=8, seed=1, workers=2
    )
    held_out = images(UNEVEN, seed=5), np.arange(UNEVEN) % 5
    history = model.fit(pairs, validation_data=held_out, verbose=0).history
    scores = model.evaluate(*held_out, batch_size=4, verbose=0, return_dict=True)
    report = evaluate(model, held_out, batch_size=4, verbose=0).rows[0]
    return {
        "history": plain(history),
        "scores": {name: float(value) for name, value in scores.items()},
        "logits": model.predict(held_out[0], batch_size=4, verbose=0).tolist(),
        "report": {name: report[name] for name in ("accuracy", "nll", "brier")},
    }


def convit():
    return trained("convit-embedding")


def cait():
    return trained("cait-encoding")


def cut_mixmo():
    return trained("cut-mixmo")


def averaged():
    """With a moving average of the weights, which is what is judged."""
    return trained("convit-embedding", use_ema=True, ema_momentum=0.9)


def accumulated():
    """With gradients of two steps in one."""
    return trained("convit-embedding", gradient_accumulation_steps=2)


def half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    return trained("convit-embedding")["history"]


def scaled_loss():
    keras.config.set_dtype_policy("mixed_float16")
    return trained("convit-embedding")["history"]


def several_steps():
    """Several steps in one call of the backend."""
    model = MixViT(tiny_convit(), 5)
    set_weights(model)
    model.compile(keras.optimizers.SGD(0.02), LOSS, steps_per_execution=2)
    pairs = mixed_pair_dataset(
        images(32), np.arange(32) % 5, model.mask_sampler(), epochs=1, batch_size=8
    )
    return plain(model.fit(pairs, verbose=0).history)


def on_device():
    """Images augmented, and mixed within their batch, by the compiled step."""
    model = MixViT(tiny_convit(), 5)
    set_weights(model)
    model.compile(
        keras.optimizers.SGD(0.02), keras.losses.CategoricalCrossentropy(True)
    )
    pairs = mixed_pair_dataset(
        (255 * images(32)).astype("uint8"),
        np.arange(32) % 5,
        model.mask_sampler(),
        epochs=2,
        batch_size=8,
        num_classes=5,
        augment=Augment([PadCrop(2), HorizontalFlip()]),
        pixel_mixing=PixelMixing("cutmix_and_mixup", probability=1, partners="batch"),
        apply_on="device",
    )
    return plain(model.fit(pairs, verbose=0).history)


def dropped():
    """Losses with stochastic depth, and which of 16 samples each replica drops."""
    model = MixViT(tiny_convit(stochastic_depth_rate=0.5, seed=3), 5)
    set_weights(model)
    model.compile(keras.optimizers.SGD(0.02), LOSS)
    pairs = mixed_pair_dataset(
        images(32), np.arange(32) % 5, model.mask_sampler(), epochs=2, batch_size=16
    )
    losses = plain(model.fit(pairs, verbose=0).history)["loss"]
    layer = StochasticDepth(0.5, seed=3)

    def draw():
        return layer(np.ones((16, 1), "float32"), training=True)

    if keras.config.backend() == "tensorflow":
        strategy = model.distribute_strategy
        draws = strategy.experimental_local_results(strategy.run(draw))
    else:
        draws = [draw()]
    draws = [keras.ops.convert_to_numpy(d)[:, 0].tolist() for d in draws]
    return {"losses": losses, "draws": draws}


def spread():
    """The share of the bytes of kernels that no device holds whole."""
    model = MixViT(tiny_convit(), 5)
    pieces = {}
    for variable in model.trainable_variables:
        if "kernel" in variable.path and variable.ndim > 1:
            shard = variable.value.addressable_shards[0].data
            pieces[variable.path] = [int(np.prod(variable.shape)), int(shard.size)]
    return pieces


def shape_mismatch():
    """A model that is another one in process 1."""
    index = int(os.environ.get("RANK", 0))
    model = MixViT(tiny_convit(), 5 + index)
    model.compile(keras.optimizers.SGD(0.02), LOSS)
    pairs = mixed_pair_dataset(
        images(8), np.arange(8) % 5, model.mask_sampler(), epochs=1, batch_size=8
    )
    model.fit(pairs, verbose=0)


def main(context, *names):
    """Prints the results of scenarios as one line of JSON.

    Args:
        context: `"data"` or `"model"` with numbers, such as `"model:4:2"`.
        *names: Names of scenarios.
    """
    kind, *numbers = context.split(":")
    numbers = [int(number) for number in numbers]
    timeout = float(os.environ.get("TEST_TIMEOUT", 60))
    if kind == "model":
        parallel = model_parallel(numbers[1], numbers[0], timeout)
    else:
        parallel = data_parallel(*(numbers or [None]), timeout)
    with parallel:
        results = {name: globals()[name]() for name in names}
    print("RESULT", json.dumps(results), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
