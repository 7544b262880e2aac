"""The stages of `accelerator.py`, each a process of its own.

A line that starts with `@` is a result, as JSON; one with `!` says what begins.
"""

import gc
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

ROOT = Path(__file__).parents[1]
BEGUN = time.time()
MANY = 50
# How far losses may be off, relatively. bfloat16 has eight bits: one rounding is off by
# up to 0.4 %.
TOLERANCES = {"float32": 1e-5, "mixed_bfloat16": 3e-2}


def say(**facts):
    """Prints a result."""
    print("@" + json.dumps(facts), flush=True)


def attempt(options, facts, measure):
    """Prints what `measure` finds, or its error; it raises nothing."""
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
    # The host is free here, while the device still works.
    own = time.thread_time() - own
    synchronise()
    spent = time.perf_counter() - start
    return round(spent / repeats * 1e3, 3), round(own / repeats * 1e3, 3)


def torch_step(make, options, batch, flops_of_image=None):
    """Figures of a training step that `make` gives, compiled where it is."""
    import torch

    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    start, step = time.perf_counter(), make()
    step()
    synchronise()
    first = round(time.perf_counter() - start, 1)
    ms, host = milliseconds(step, 3 if options.small else 30)
    found = {"first_s": first, "step_ms": ms, "host_ms": host}
    if on_gpu:
        found["peak_mib"] = torch.cuda.max_memory_allocated() // 2**20
    if flops_of_image:
        found["tflops"] = round(flops_of_image * batch / ms / 1e9, 5)
    return found


def ceilings(options):
    import torch

    device = torch_device()
    side = 512 if options.small else 8192
    a, b = (
        torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2)
    )
    product = milliseconds(lambda: a @ b, 10)[0]
    source = torch.zeros(2**22 if options.small else 2**30, dtype=torch.uint8)
    source = source.to(device)
    target = torch.empty_like(source)
    copy = milliseconds(lambda: target.copy_(source), 10)[0]
    facts = {"device": "cpu", "torch": torch.__version__, "cores": os.cpu_count()}
    if device == "cuda":
        memory = torch.cuda.get_device_properties(0).total_memory
        facts |= {"device": torch.cuda.get_device_name(), "memory_mib": memory // 2**20}
    say(
        **facts,
        python=sys.version.split()[0],
        bfloat16_tflops=round(2 * side**3 / product / 1e9, 5),
        copied_gb_per_s=round(2 * source.numel() / copy / 1e6, 1),
    )


def plain(options):
    """The paper's MixViT without this library."""
    import plain_convit

    width, sizes = (48, (8,)) if options.small else (384, (129, 1024, 512))
    operations = step_flops(convit(2, width))
    for compiles in (False, True):
        for batch in sizes:

            def measured(batch=batch, compiles=compiles):
                return torch_step(
                    lambda: plain_convit.training_step(
                        width, batch, torch_device(), compiles
                    ),
                    options,
                    batch,
                    operations,
                )

            facts = {"network": "ConViT M=2", "compiled": compiles, "batch": batch}
            attempt(options, facts, measured)


def timm(options):
    """The usual CaiT of timm, a single network, compiled and not."""
    try:
        import timm as library
    except Exception as error:
        # Not there, or not for this PyTorch.
        say(skipped=f"timm cannot be imported, see `plain`: {error}"[:300])
        return
    import torch
    from torch.nn import functional

    device = torch_device()

    def make(name, batch, compiles):
        options_of = {"depth": 1} if options.small else {}
        network = library.create_model(name, num_classes=100, **options_of).to(device)
        called = torch.compile(network) if compiles else network
        optimizer = torch.optim.AdamW(
            network.parameters(), 1e-3, weight_decay=0.05, fused=device == "cuda"
        )
        images = torch.randn(batch, 3, 224, 224, device=device)
        labels = torch.randint(100, (batch,), device=device)

        def step():
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device, torch.bfloat16):
                logits = called(images)
            functional.cross_entropy(logits.float(), labels).backward()
            optimizer.step()

        return step

    for name, batch in cait_cases(options):
        for compiles in (False,) if options.small else (True, False):
            facts = {"network": f"timm {name}", "batch": batch, "compiled": compiles}
            attempt(
                options,
                facts,
                lambda n=name, b=batch, c=compiles: torch_step(
                    lambda: make(f"{n}_224", b, c), options, b
                ),
            )


# With this library


def convit(subnetworks, width):
    import keras_mixvit as kv

    backbone = kv.ConViT((32, 32, 3), 4, width=width)
    if subnetworks == 1:
        return kv.SingleNetwork(backbone, 100)
    return kv.MixViT(backbone, 100, subnetworks)


def cait_cases(options):
    """Names and batch sizes at 224 pixels."""
    sizes = (2, 2) if options.small else (128, 128)
    return zip(("cait_xxs24", "cait_s24"), sizes, strict=True)


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

    operations = step_flops(model)
    model.compile(
        keras.optimizers.AdamW(1e-3, weight_decay=0.05),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if "pixel_mixing" not in options
        else keras.losses.CategoricalCrossentropy(from_logits=True),
        steps_per_execution=steps_per_call,
    )
    rng = np.random.default_rng(0)
    count = batch * steps
    # Images of 224 pixels are repeated, so that a set of them stays small.
    distinct = min(count, max(batch, 2**30 // int(np.prod(model.image_shape))))
    x = rng.integers(0, 256, (distinct, *model.image_shape), "uint8")
    times, pairs = Times(), None
    steps = min(steps, distinct // batch // steps_per_call * steps_per_call) or 1
    pairs = kv.mixed_pair_dataset(
        x,
        rng.integers(model.num_classes, size=len(x)),
        model.mask_sampler(),
        epochs=3,
        batch_size=batch,
        **options,
    ).first_batches(steps)
    model.fit(pairs, callbacks=[times.callback], verbose=0)
    spent = [(b[0] - a[0], b[1] - a[1]) for a, b in times.epochs]
    seconds, own = (value / steps for value in spent[-1])
    return {
        "steps": steps,
        "first_epoch_s": round(spent[0][0], 1),
        "step_ms": round(seconds * 1e3, 3),
        "host_ms": round(own * 1e3, 3),
        "host_share": round(own / seconds, 3),
        "tflops": round(operations * batch / seconds / 1e12, 5),
        **peak_memory(),
    }


def peak_memory():
    """The most memory that this process had in use on its device so far."""
    import keras

    if keras.config.backend() == "torch":
        import torch

        if not torch.cuda.is_available():
            return {}
        return {"peak_mib_so_far": torch.cuda.max_memory_allocated() // 2**20}
    import jax

    memory = jax.devices()[0].memory_stats() or {}
    peak = memory.get("peak_bytes_in_use")
    return {} if peak is None else {"peak_mib_so_far": peak // 2**20}


def in_bfloat16():
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    if keras.config.backend() == "jax":
        import jax

        say(jax=jax.__version__, keras=keras.version(), device=str(jax.devices()[0]))


def measure(options, name, make, batch, steps_per_call, **serving):
    """Says the figures of one network, resident images unless told otherwise."""
    serving = {"apply_on": "device", **serving}
    count = 8 if options.small else 2 * MANY
    steps_per_call = min(steps_per_call, count // 2)
    facts = {"network": name, "batch": batch, "steps_per_execution": steps_per_call}
    attempt(
        options,
        facts,
        lambda: timed_fit(make(), steps_per_call, count, batch, **serving),
    )


def stage_convit(options):
    in_bfloat16()
    width = 48 if options.small else 384
    cases = [(129, MANY), (1024, MANY), (129, 1), (512, MANY), (1024, 1)]
    for batch, call in [(8, MANY), (8, 1)] if options.small else cases:
        measure(options, "ConViT M=2", lambda: convit(2, width), batch, call)
    # Next to nothing to compute: what is left is the host.
    import keras_mixvit as kv

    def one_token():
        return kv.MixViT(kv.ConViT((32, 32, 3), 32, 12), 100)

    measure(options, "one token", one_token, 8, MANY)


def subnetworks(options):
    in_bfloat16()
    width, batch = (48, 8) if options.small else (384, 129)
    for count in (1, 8, 4):
        name = f"ConViT M={count}"
        measure(options, name, lambda m=count: convit(m, width), batch, MANY)


def ours(options):
    """This library on PyTorch, where Keras dispatches every step by itself."""
    in_bfloat16()
    width, sizes = (48, (8,)) if options.small else (384, (129, 1024))
    for batch in sizes:
        measure(options, "ConViT M=2", lambda: convit(2, width), batch, 1)


def cait(options):
    import keras_mixvit as kv

    in_bfloat16()
    changes = {"num_blocks": 1} if options.small else {}
    for name, batch in cait_cases(options):

        def make(arrangement, name=name):
            return arrangement(kv.make_backbone(name, (224, 224, 3), **changes), 100)

        # Usual and MixViT: what timm has, and what the library is for.
        for kind in (kv.MixViT, kv.SingleNetwork):
            title = f"{name} {kind.__name__}"
            measure(options, title, lambda k=kind, m=make: m(k), batch, 10)


def wrn(options):
    import keras_mixvit as kv

    in_bfloat16()
    depth, widening, sizes = (10, 1, (8,)) if options.small else (28, 10, (129, 512))

    def make():
        return kv.MixMo(kv.WideResNet((32, 32, 3), depth, widening), 100)

    for batch in sizes:
        measure(options, f"WRN-{depth}-{widening} Cut-MixMo", make, batch, MANY)


def serving(options):
    """The full augmentation of the paper's recipe, in the data set or the step."""
    from keras_mixvit import augmentation as aug
    from keras_mixvit.data import PixelMixing

    in_bfloat16()
    chain = [aug.PadCrop(4), aug.HorizontalFlip(), aug.AutoAugment()]
    augment = aug.Augment([*chain, aug.RandomErasing()])
    mixing = PixelMixing("cutmix_and_mixup", probability=1.0, partners="batch")
    width, batch = (48, 8) if options.small else (384, 129)
    for apply_on, kept in (("device", True), ("pipeline", None), ("device", False)):
        measure(
            options,
            f"ConViT M=2, apply_on={apply_on}, keep_on_device={kept}",
            lambda: convit(2, width),
            batch,
            MANY,
            augment=augment,
            num_classes=100,
            pixel_mixing=mixing,
            apply_on=apply_on,
            keep_on_device=kept,
        )


def golden(options):
    """The trainings whose losses the tests know, on this device."""
    # The test needs nothing else of pytest than its decorators.
    if importlib.util.find_spec("pytest") is None:
        sys.modules["pytest"] = mock.MagicMock()
    import keras
    import numpy as np

    if keras.config.backend() == "jax":
        import jax

        # On a GPU, JAX may compute products of float32 with fewer bits.
        jax.config.update("jax_default_matmul_precision", "float32")
    else:
        import torch

        torch.backends.cudnn.allow_tf32 = False
    from tests.models.test_golden_trajectory import GOLDEN, losses

    for policy, allowed in TOLERANCES.items():
        for case, expected in GOLDEN.items():

            def compared(case=case, expected=expected, policy=policy, allowed=allowed):
                keras.config.set_dtype_policy(policy)
                keras.utils.set_random_seed(0)
                found = losses(case)
                off = float(np.max(np.abs(np.divide(found, expected) - 1)))
                return {"off_by": off, "allowed": allowed, "holds": off <= allowed}

            attempt(options, {"case": case, "policy": policy}, compared)


# The paper's recipe


def start_run(options, recipe, runs):
    """A process that trains or resumes a recipe, and its folder."""
    folder = runs / f"{recipe}-{options.epochs}"
    command = [sys.executable, "-m", "keras_mixvit.cli"]
    if (folder / "run.json").exists():
        command += ["resume", str(folder)]
    else:
        # Stopped before there was anything to go on with.
        shutil.rmtree(folder, ignore_errors=True)
        command += ["train", recipe]
        command += ["--epochs", str(options.epochs), "--precision", "bfloat16"]
        command += ["--apply-on", "device", "--no-single", "--output", str(folder)]
        if options.small:
            command += ["--width-scale", "0.125", "--data", "digits"]
            command += ["--set", "backbone.patch_size=2"]
        else:
            command += ["--data-dir", str(Path(options.data_dir).resolve())]
    share = f"{0.9 / len(options.recipes):.2f}"
    with (runs / f"{folder.name}.log").open("a") as log:
        return folder, subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "XLA_PYTHON_CLIENT_MEM_FRACTION": share},
            cwd=ROOT,
        )


def stop(number, frame):
    raise KeyboardInterrupt


def train(options):
    """Runs of the command, side by side, stopped in time to be continued."""
    if options.data_dir is None and not options.small:
        say(skipped="no --data-dir")
        return
    runs = Path(options.runs).resolve()
    runs.mkdir(exist_ok=True, parents=True)
    signal.signal(signal.SIGTERM, stop)
    started = [start_run(options, recipe, runs) for recipe in options.recipes]
    end, seen = BEGUN + options.seconds, {}
    try:
        while time.time() < end and any(p.poll() is None for _, p in started):
            time.sleep(1)
            for folder, _ in started:
                tell_epoch(folder, seen)
    except KeyboardInterrupt:
        pass
    for _, process in started:
        # Ctrl-C ends a run after its step; what was saved can be continued.
        process.send_signal(signal.SIGINT)
    # Together, within what is left after the limit of the stage.
    last = time.time() + 18
    for folder, process in started:
        try:
            process.wait(timeout=max(0.1, last - time.time()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        tell_epoch(folder, seen)
        result = folder / "result.json"
        rows = json.loads(result.read_text())["rows"] if result.exists() else None
        facts = {"run": folder.name, "finished": rows is not None, "rows": rows}
        if rows is None and process.returncode not in (0, 130, -signal.SIGINT):
            log = (runs / f"{folder.name}.log").read_text()
            facts["error"] = f"exit status {process.returncode}: {log[-400:]}"
        say(**facts)


def tell_epoch(folder, seen):
    """Says the last epoch of a run, if it is a new one."""
    history = next(folder.rglob("history.csv"), None)
    lines = history.read_text().splitlines() if history else []
    if len(lines) > max(1, seen.get(folder, 0)):
        seen[folder] = len(lines)
        row = dict(zip(lines[0].split(","), lines[-1].split(","), strict=False))
        say(run=folder.name, at_s=round(time.time() - BEGUN), **row)


RUN = {
    "ceilings": ceilings,
    "convit": stage_convit,
    "plain": plain,
    "golden": golden,
    "serving": serving,
    "subnetworks": subnetworks,
    "ours": ours,
    "cait": cait,
    "timm": timm,
    "wrn": wrn,
    "train": train,
}

if __name__ == "__main__":
    stage = sys.argv[1]
    RUN[stage.split("-")[0]](SimpleNamespace(**json.loads(sys.argv[2])))
