"""The stages of `accelerator.py`, each a process of its own."""

import importlib.util
import json
import os
import sys
from importlib import metadata
from types import SimpleNamespace
from unittest import mock

from accelerator_tools import (
    MANY,
    attempt,
    measure,
    milliseconds,
    say,
    step_flops,
    torch_device,
    torch_step,
)
from accelerator_training import train

VERSIONS = ("keras", "jax", "jaxlib", "torch", "tensorflow", "timm", "numpy")
# The largest relative error of losses. In bfloat16 on a CPU, it was 5.0e-4 on JAX,
# 4.8e-4 on PyTorch and 3.8e-4 on TensorFlow. We allow five times the largest: a device
# that sums in another order rounds differently.
TOLERANCES = {"float32": 1e-5, "mixed_bfloat16": 2.5e-3}


# On PyTorch


def ceilings(options):
    """Versions, memory, and what the device reaches in products and copies."""
    if options.known:
        return
    import torch

    device = torch_device()
    found = {}
    # A CPU may be slower in bfloat16 than in float32.
    for dtype in (torch.bfloat16, torch.float32):
        name = str(dtype).removeprefix("torch.")
        rates = []
        for side in (256, 512) if options.small else (4096, 8192):
            a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
            for _ in range(3):
                ms = milliseconds(lambda a=a, b=b: a @ b, 2 if options.small else 10)[0]
                rates.append(2 * side**3 / ms / 1e9)
        found[f"{name}_tflops"] = round(max(rates), 5)
    source = torch.zeros(2**24 if options.small else 2**30, dtype=torch.uint8)
    source = source.to(device)
    target = torch.empty_like(source)
    copy = milliseconds(lambda: target.copy_(source), 10)[0]
    facts = {"device": "cpu"}
    if device == "cuda":
        memory = torch.cuda.get_device_properties(0).total_memory
        facts = {
            "device": torch.cuda.get_device_name(),
            "memory_mib": memory // 2**20,
            "cuda": torch.version.cuda,
        }
    versions = {}
    for name in VERSIONS:
        # Reads the versions without an import: a package may be broken here.
        if importlib.util.find_spec(name):
            versions[name] = metadata.version(name)
    say(
        **facts,
        cores=os.cpu_count(),
        host_memory_mib=os.sysconf("SC_PHYS_PAGES")
        * os.sysconf("SC_PAGE_SIZE")
        // 2**20,
        python=sys.version.split()[0],
        **versions,
        **found,
        peak_tflops=max(found.values()),
        copied_gb_per_s=round(2 * source.numel() / copy / 1e6, 1),
    )


def plain(options):
    """The papers' networks without this library, eager and by `torch.compile`."""
    import plain_convit
    import plain_wide_resnet
    import torch

    width, blocks, depth, widening = 384, (5, 2), 28, 10
    if options.small:
        width, blocks, depth, widening = 48, (1, 1), 10, 1
    common = {"device": torch_device(), "dtype": torch.bfloat16}

    def case(network, members, batch, compiles):
        how = {**common, "compiles": compiles, "batch": batch, "members": members}

        def measured():
            if network == "ConViT":
                operations = step_flops(convit(options, members))
                steps = plain_convit.steps
                how.update(width=width, blocks=blocks)
            else:
                operations = step_flops(wide_resnet(options))
                steps = plain_wide_resnet.steps
                how.update(widening=widening, depth=depth)
            return torch_step(
                lambda: steps(**how)["training"], options, batch, operations
            )

        facts = {"network": f"{network} M={members}", "batch": batch}
        attempt(options, {**facts, "compiled": compiles}, measured)

    wide = f"WRN-{depth}-{widening} Cut-MixMo"
    if options.small:
        case("ConViT", 2, 8, False)
        case("ConViT", 2, 8, True)
        case(wide, 2, 8, False)
        return
    for batch in (129, 1024, 512):
        for compiles in (False, True):
            case("ConViT", 2, batch, compiles)
    # CUDA graphs: no kernel waits for the host.
    case("ConViT", 2, 129, "reduce-overhead")
    for batch in (129, 512, 1024):
        for compiles in (True, False):
            case(wide, 2, batch, compiles)
    for batch in (129, 1024, 512):
        for members in (1, 8, 4):
            for compiles in (True, False):
                case("ConViT", members, batch, compiles)


def timm(options):
    """The usual CaiT of timm, a single network, compiled and not."""
    try:
        import timm as library
    except Exception as error:
        # timm is missing, or does not fit this PyTorch.
        say(skipped=f"timm cannot be imported, see `plain`: {error}"[:300])
        return
    import torch
    from torch.nn import functional

    import keras_mixvit as kv

    device = torch_device()
    changes = {"depth": 1} if options.small else {}

    def make(name, batch, compiles):
        network = library.create_model(name, num_classes=100, **changes).to(device)
        called = torch.compile(network, dynamic=False) if compiles else network
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

    def case(name, batch, compiles):
        facts = {"network": f"timm {name}", "batch": batch, "compiled": compiles}
        attempt(
            options,
            facts,
            lambda: torch_step(
                lambda: make(f"{name}_224", batch, compiles),
                options,
                batch,
                step_flops(cait_model(options, name, kv.SingleNetwork)),
            ),
        )

    for batch in (2,) if options.small else (129, 512, 1024):
        for name in cait_names(options):
            for compiles in (False,) if options.small else (True, False):
                case(name, batch, compiles)


# With this library


def convit(options, subnetworks):
    import keras_mixvit as kv

    size = {"width": 384}
    if options.small:
        size = {"width": 48, "num_blocks": 1, "num_class_blocks": 1}
    backbone = kv.ConViT((32, 32, 3), 4, **size)
    if subnetworks == 1:
        return kv.SingleNetwork(backbone, 100)
    return kv.MixViT(backbone, 100, subnetworks)


def cait_model(options, name, arrangement):
    import keras_mixvit as kv

    changes = {"num_blocks": 1, "num_class_blocks": 1} if options.small else {}
    return arrangement(kv.make_backbone(name, (224, 224, 3), **changes), 100)


def cait_names(options):
    # The other network is the same, but wider.
    return ("cait_xxs24",) if options.small else ("cait_xxs24", "cait_s24")


def wide_resnet(options):
    import keras_mixvit as kv

    depth, widening = (10, 1) if options.small else (28, 10)
    return kv.MixMo(kv.WideResNet((32, 32, 3), depth, widening), 100)


def in_bfloat16():
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    say_backend()


def say_backend():
    """Says what computes."""
    import keras

    backend = keras.config.backend()
    if backend == "jax":
        import jax

        device = jax.devices()[0].device_kind
    elif backend == "tensorflow":
        import tensorflow as tf

        device = tf.config.list_logical_devices()[-1].name
    else:
        device = torch_device()
    say(backend=backend, device=device)


def stage_convit(options):
    in_bfloat16()
    # Batches grow: JAX cannot count the memory of a smaller one after a larger one.
    cases = [(129, MANY), (512, MANY), (1024, MANY), (129, 1), (1024, 1), (512, 1)]
    for batch, call in [(8, MANY), (8, 1)] if options.small else cases:
        measure(options, "ConViT M=2", lambda: convit(options, 2), batch, call)
    # With almost nothing to compute, the time is that of the host.
    import keras_mixvit as kv

    def one_token():
        size = {"num_blocks": 1, "num_class_blocks": 1} if options.small else {}
        return kv.MixViT(kv.ConViT((32, 32, 3), 32, 12, **size), 100)

    measure(options, "one token", one_token, 8, MANY)


def subnetworks(options):
    in_bfloat16()
    cases = [(129, MANY), (512, MANY), (1024, MANY), (129, 1), (1024, 1), (512, 1)]
    for batch, call in [(8, MANY)] if options.small else cases:
        for count in (1, 8) if options.small else (1, 8, 4):
            name = f"ConViT M={count}"
            measure(options, name, lambda m=count: convit(options, m), batch, call)


def ours(options):
    """This library on PyTorch, where Keras dispatches every step by itself."""
    in_bfloat16()
    for batch in (8,) if options.small else (129, 1024, 512):
        measure(options, "ConViT M=2", lambda: convit(options, 2), batch, 1)


def cait(options):
    import keras_mixvit as kv

    in_bfloat16()
    cases = [(129, MANY), (129, 1), (512, MANY), (512, 1), (1024, MANY), (1024, 1)]
    for batch, call in [(2, MANY)] if options.small else cases:
        for name in cait_names(options):
            # The usual network, which timm has, and MixViT.
            for kind in (kv.MixViT, kv.SingleNetwork):
                title = f"{name} {kind.__name__}"

                def make(name=name, kind=kind):
                    return cait_model(options, name, kind)

                measure(options, title, make, batch, call, side=224)


def wrn(options):
    in_bfloat16()
    name = "WRN-10-1 Cut-MixMo" if options.small else "WRN-28-10 Cut-MixMo"
    cases = [(129, MANY), (512, MANY), (1024, MANY), (129, 1), (512, 1), (1024, 1)]
    # A CPU takes seconds per image here.
    for batch, call in [(2, MANY)] if options.small else cases:
        measure(options, name, lambda: wide_resnet(options), batch, call)


def serving(options):
    """The full augmentation of the paper's recipe, in the data set or the step."""
    from keras_mixvit import augmentation as aug
    from keras_mixvit.data import PixelMixing

    in_bfloat16()
    chain = [aug.PadCrop(4), aug.HorizontalFlip(), aug.AutoAugment()]
    augment = aug.Augment([*chain, aug.RandomErasing()])
    mixing = PixelMixing("cutmix_and_mixup", probability=1.0, partners="batch")
    batch = 8 if options.small else 129
    for apply_on, kept in (("device", True), ("pipeline", None), ("device", False)):
        measure(
            options,
            f"ConViT M=2, apply_on={apply_on}, keep_on_device={kept}",
            lambda: convit(options, 2),
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
    # The test needs only the decorators of pytest.
    if importlib.util.find_spec("pytest") is None:
        sys.modules["pytest"] = mock.MagicMock()
    import keras
    import numpy as np

    say_backend()
    # On a GPU, products of float32 may have fewer bits.
    if keras.config.backend() == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "float32")
    elif keras.config.backend() == "torch":
        import torch

        torch.backends.cudnn.allow_tf32 = False
    else:
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(False)
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
