"""How the stages of `accelerator.py` measure, and how they say what they found.

A line that starts with `@` is a result, as JSON; one with `!` says what begins.
"""

import gc
import json
import time

BEGUN = time.time()
# Steps in one call to the device.
MANY = 50
# The maximum bytes of images on the device: more would count as memory of the network.
IMAGE_BYTES = 2**31


def say(**facts):
    """Prints a result."""
    print("@" + json.dumps(facts), flush=True)


def is_known(facts, lines):
    """Whether this was measured before."""
    return any(all(line.get(k) == v for k, v in facts.items()) for line in lines)


def attempt(options, facts, measure):
    """Prints what `measure` finds, or its error; it raises nothing."""
    if is_known(facts, options.known):
        return
    if time.time() - BEGUN > options.seconds:
        say(**facts, error="no time left")
        return
    print("!" + json.dumps(facts), flush=True)
    try:
        found = measure()
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        is_memory = "out of memory" in text.lower() or "RESOURCE_EXHAUSTED" in text
        found = {"error": "out of memory" if is_memory else text[:400]}
    say(**facts, **found)
    options.known.append(facts)
    gc.collect()


# On PyTorch


def torch_device():
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def synchronise():
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def milliseconds(step, repeats, warm_up=3):
    """Mean time of a step, and of the training thread's own work in it."""
    for _ in range(warm_up):
        step()
    synchronise()
    start, own = time.perf_counter(), time.thread_time()
    for _ in range(repeats):
        step()
    # Here the host is free, but the device is still working.
    own = time.thread_time() - own
    synchronise()
    spent = time.perf_counter() - start
    return spent / repeats * 1e3, own / repeats * 1e3


def rates(seconds, own, batch, flops_of_image):
    """Figures of a step from its time and from that of the training thread."""
    return {
        "step_ms": round(seconds * 1e3, 3),
        "steps_per_s": round(1 / seconds, 3),
        "host_ms": round(own * 1e3, 3),
        "host_share": round(own / seconds, 3),
        "tflops": round(flops_of_image * batch / seconds / 1e12, 5),
    }


def torch_step(make, options, batch, flops_of_image):
    """Figures of a training step that `make` gives, compiled where it is."""
    import torch

    # Otherwise a second batch size would compile for arbitrary sizes.
    torch.compiler.reset()
    forget_peak()
    start, step = time.perf_counter(), make()
    step()
    synchronise()
    first = round(time.perf_counter() - start, 1)
    ms, host = milliseconds(step, 3 if options.small else 30, 1 if options.small else 3)
    found = rates(ms / 1e3, host / 1e3, batch, flops_of_image)
    return {"first_s": first, **found, **peak_memory()}


# With this library


def step_flops(model):
    """FLOPs of a training step on one mixed sample: three forward passes."""
    import keras_mixvit as kv

    return 3 * kv.costs.flops(model, training=True).total.flops


class Times:
    """Wall time and the thread's own time of each epoch."""

    def __init__(self):
        import keras

        self.epochs = []
        self.callback = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda *_: self.epochs.append([self.now()]),
            on_epoch_end=lambda *_: self.epochs[-1].append(self.now()),
        )

    @staticmethod
    def now():
        return time.perf_counter(), time.thread_time()


def timed_fit(model, steps_per_call, steps, batch, **options):
    """Figures of a training of three epochs: the first one, and the last."""
    import keras
    import numpy as np

    import keras_mixvit as kv

    forget_peak()
    before, operations = peak_memory(), step_flops(model)
    model.compile(
        # What the papers train with.
        keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)
        if isinstance(model, kv.MixMo)
        else keras.optimizers.AdamW(1e-3, weight_decay=0.05),
        keras.losses.CategoricalCrossentropy(from_logits=True)
        if "pixel_mixing" in options
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=steps_per_call,
    )
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (batch * steps, *model.image_shape), "uint8")
    times = Times()
    pairs = kv.mixed_pair_dataset(
        x,
        rng.integers(model.num_classes, size=len(x)),
        model.mask_sampler(),
        epochs=3,
        batch_size=batch,
        **options,
    )
    model.fit(pairs, callbacks=[times.callback], verbose=0)
    spent = [(b[0] - a[0], b[1] - a[1]) for a, b in times.epochs]
    seconds, own = (value / len(pairs) for value in spent[-1])
    return {
        "steps": len(pairs),
        "first_epoch_s": round(spent[0][0], 1),
        **rates(seconds, own, batch, operations),
        **peak_memory(before),
    }


def measure(options, name, make, batch, steps_per_call, side=32, **serving):
    """Says the figures of one network, resident images unless told otherwise."""
    import keras

    serving = {"apply_on": "device", **serving}
    steps = 4 if options.small else 2 * MANY
    steps = max(1, min(steps, IMAGE_BYTES // (batch * side * side * 3)))
    # Keras runs one step at a time on PyTorch.
    is_torch = keras.config.backend() == "torch"
    steps_per_call = 1 if is_torch else min(steps_per_call, max(1, steps // 2))
    steps -= steps % steps_per_call
    facts = {"network": name, "batch": batch, "steps_per_execution": steps_per_call}
    attempt(
        options,
        facts,
        lambda: timed_fit(make(), steps_per_call, steps, batch, **serving),
    )


# Memory of the device


def most_bytes():
    """The most memory in use on the device, or None where nobody counts it."""
    import keras

    if keras.config.backend() == "torch":
        import torch

        on_gpu = torch.cuda.is_available()
        return torch.cuda.max_memory_allocated() if on_gpu else None
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        on_gpu = tf.config.list_physical_devices("GPU")
        return (
            tf.config.experimental.get_memory_info("GPU:0")["peak"] if on_gpu else None
        )
    import jax

    return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")


def forget_peak():
    """Starts to count anew, where that is possible."""
    import keras

    gc.collect()
    if keras.config.backend() == "torch":
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
    elif keras.config.backend() == "tensorflow":
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            tf.config.experimental.reset_memory_stats("GPU:0")


def peak_memory(before=None):
    """The most memory in use, as a bound where an earlier network used as much."""
    peak = most_bytes()
    if peak is None:
        return {}
    # JAX counts from the start of the process.
    rose = not before or peak // 2**20 > next(iter(before.values()))
    return {"peak_mib" if rose else "peak_mib_at_most": peak // 2**20}
