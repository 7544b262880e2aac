# %% [markdown]
# # Many devices and mixed precision
#
# In this tutorial you train one model on four devices and get the same losses as on one
# device. You see what each device holds, run the same program on TensorFlow and with
# `torchrun`, and train in bfloat16.
#
# You need to know `fit` and tutorial 1. It takes about a minute on two CPU cores. You
# need no accelerator, because JAX and TensorFlow can split a processor into several
# devices. The tutorial shows that the numbers stay the same. It does not show a
# speedup: devices that share two cores are not faster.

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "jax")
# Four devices of one processor; on a machine with accelerators leave it out.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "4")

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

from keras_mixvit import ConViT, MixViT, load, mixed_pair_dataset
from keras_mixvit.distribution import data_parallel, model_parallel

train, val = load("digits", "train"), load("digits", "val")
print(keras.config.backend(), keras.distribution.list_devices())

# %% [markdown]
# ## One training, written once
#
# One function builds, compiles and fits the model. It contains no code for devices: you
# call it first on one device, and then within a context. The data set draws everything
# random from its seed, the epoch and the batch. A seed also determines the initial
# weights.


# %%
def trained(batch_size=16, dtype="float32"):
    keras.utils.set_random_seed(0)
    mean, std = train.statistics()
    backbone = ConViT(
        (8, 8, 1), 2, 32, 4, 1, 1, mean=mean, std=std, seed=0, dtype=dtype
    )
    model = MixViT(backbone, num_classes=10)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)
    model.compile(optimizer, loss, weighted_metrics=["accuracy"])
    pairs = mixed_pair_dataset(
        train.images,
        train.labels,
        model.mask_sampler(),
        epochs=6,
        batch_size=batch_size,
        seed=0,
    )
    validation = val.images, val.labels
    history = model.fit(pairs, validation_data=validation, verbose=0).history
    return model, history


_, alone = trained()
print("loss", np.round(alone["loss"], 5))
print("validation loss", np.round(alone["val_loss"], 5))

# %% [markdown]
# ## Four devices
#
# Within `data_parallel()` every device holds the whole model and gets a quarter of
# every batch. The gradients are averaged. `batch_size` is the size of the whole batch,
# on any number of devices, so you keep the learning rate. (If you make the batch k
# times as large, the usual rule is to multiply the learning rate by k.) The number of
# validation images, 297, is not divisible by four: the devices share 296 of them, and
# all devices see the last one.

# %%
with data_parallel(4) as parallel:
    whole, shared = trained()
print(parallel.num_replicas, "devices share a batch")
for name in ("loss", "val_loss"):
    difference = np.abs(np.array(shared[name]) / alone[name] - 1).max()
    print(f"{name}: {np.round(shared[name], 5)}, off by at most {difference:.1e}")

# %% [markdown]
# The losses equal those of one device, up to rounding, because the sums are computed in
# another order. You can therefore stop a run on four devices and resume it on one.
#
# The batch size must be divisible by the number of devices. Otherwise you get an error
# before the first step:

# %%
try:
    with data_parallel(4):
        trained(batch_size=50)
except ValueError as error:
    print(error)

# %% [markdown]
# ## A model that no device holds
#
# Sometimes the weights and the optimizer's state for them are too large for one device.
# For this case, `model_parallel` splits the kernels of attention and of the MLPs. With
# four devices, and two of them per model, there are two copies of the model, each in
# two halves. This context works only on JAX.

# %%
with model_parallel(model_devices=2, devices=4):
    halves, cut = trained()


def megabytes(model):
    """What each device holds of weights and optimizer, in MB."""
    held = {}
    for variable in [*model.variables, *model.optimizer.variables]:
        for shard in variable.value.addressable_shards:
            name = f"{shard.device.platform}:{shard.device.id}"
            held[name] = held.get(name, 0) + shard.data.nbytes / 2**20
    return held


print("loss", np.round(cut["loss"], 5))
for title, model in (("data parallel", whole), ("model parallel", halves)):
    print(title, {name: round(size, 3) for name, size in megabytes(model).items()})

# %% tags=["picture"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), dpi=80)
epochs = np.arange(1, 7)
left.plot(epochs, alone["loss"], color="0.7", linewidth=6, label="one device")
left.plot(epochs, shared["loss"], "o--", label="four devices")
left.set(xlabel="epoch", ylabel="training loss", xticks=epochs)
left.set_title("the same losses")
left.legend(frameon=False)
places = np.arange(4)
for shift, title, model in ((-0.2, "data", whole), (0.2, "model", halves)):
    held = megabytes(model)
    right.bar(places + shift, list(held.values()), 0.4, label=f"{title} parallel")
right.set_xticks(places, list(held))
right.set(ylabel="MB", title="weights and optimizer on each device")
right.set_ylim(top=1.35 * max(megabytes(whole).values()))
right.legend(frameon=False, ncols=2)
figure.tight_layout()
plt.show()

# %% [markdown]
# ## TensorFlow, and PyTorch by `torchrun`
#
# The same program works on the other backends. On TensorFlow, `data_parallel` uses
# `tf.distribute.MirroredStrategy`. On PyTorch, one process runs per device, and
# `torchrun` starts the processes. This is the program:

# %%
program = """
import json, sys
import keras
import numpy as np
from keras_mixvit import ConViT, MixViT, load, mixed_pair_dataset
from keras_mixvit.distribution import data_parallel

# On PyTorch the processes are as many as torchrun started.
devices = None if keras.config.backend() == "torch" else int(sys.argv[1])
train = load("digits", "train")
with data_parallel(devices) as parallel:
    model = MixViT(ConViT((8, 8, 1), 4, 16, 2, 1, 1), num_classes=10)
    rng = np.random.default_rng(0)
    for v in model.trainable_variables:  # the same weights on every backend
        v.assign(0.2 * rng.standard_normal(v.shape))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss)
    pairs = mixed_pair_dataset(
        train.images[:256] / np.float32(16), train.labels[:256],
        model.mask_sampler(), epochs=2, batch_size=32,
    )
    losses = model.fit(pairs, verbose=0).history["loss"]
if parallel.is_main:  # one of several processes prints
    print(json.dumps([parallel.num_replicas, losses]))
"""
folder = tempfile.TemporaryDirectory()
script = Path(folder.name) / "train_digits.py"
_ = script.write_text(program)

# %% [markdown]
# In a terminal you would run `KERAS_BACKEND=tensorflow python train_digits.py 2` and
# `KERAS_BACKEND=torch torchrun --nproc-per-node 2 train_digits.py`. The next cell skips
# backends that are not installed.

# %%
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
runs = {
    "jax, 2 devices": ("jax", []),
    "tensorflow, 2 devices": ("tensorflow", []),
    "torchrun, 2 processes": ("torch", TORCHRUN),
}
losses = {}
for title, (backend, launcher) in runs.items():
    if importlib.util.find_spec(backend) is None:
        print(f"{title}: not installed")
        continue
    count = next(word for word in title.split() if word.isdigit())
    words = [sys.executable, *launcher, str(script), count]
    environment = {**os.environ, "KERAS_BACKEND": backend, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    line = done.stdout.strip().splitlines()[-1]
    replicas, losses[title] = json.loads(line)
    print(f"{title:22}", f"{replicas} replicas,", "losses", np.round(losses[title], 6))
folder.cleanup()

# %%
first = next(iter(losses.values()))
largest = max(np.abs(np.array(each) / first - 1).max() for each in losses.values())
print(f"largest relative difference of a loss: {largest:.1e}")

# %% [markdown]
# `keras-mixvit train --devices 2` does all of this for a recipe, on every backend. On
# PyTorch it starts the processes itself. One process writes the checkpoints, and
# `keras-mixvit resume RUN --devices 4` resumes with another number of devices.
#
# Two kinds of layers depend on more than one sample. **Batch norm** uses the statistics
# of the whole batch, not of the part on one device (`SynchronizedBatchNormalization`,
# in all convolutional backbones). **Dropout and stochastic depth** draw different
# random numbers on every device (`ReplicaSeedGenerator`). On TensorFlow and PyTorch,
# Keras's own layers would draw the same numbers on every device, so `fit` rejects them
# there with an error message.
#
# ## Mixed precision
#
# With `dtype="mixed_bfloat16"` products are computed in 16 bits. Weights, softmaxes,
# positional scores, logits and the loss stay in 32 bits. This setting is made for
# accelerators, which compute and move 16 bits faster. A CPU does not, so look only at
# the numbers.

# %%
half, halved = trained(dtype="mixed_bfloat16")
print("weights", half.heads.kernel.dtype, "- products in", half.heads.compute_dtype)
difference = np.abs(np.array(halved["loss"]) / alone["loss"] - 1)
for title, history in (("float32", alone), ("bfloat16", halved)):
    scores = f"validation accuracy {history['val_accuracy'][-1]:.1%}"
    print(f"{title:8}", np.round(history["loss"], 4), scores)
print("relative differences of the losses", np.round(difference, 5))

# %% [markdown]
# A bfloat16 number has eight significant bits, so single steps are off in about the
# third digit, and the two training runs slowly diverge. To find out whether accuracy
# suffers, compare the end of long training runs with several seeds. Six epochs with one
# seed do not answer the question. The library has not repeated the papers' long
# trainings in either precision.

# %% [markdown]
# ## What you learned
#
# * `data_parallel()` is a context in which you build and train a model. The batch is
#   the global batch, and losses do not depend on the number of devices, up to rounding.
# * `model_parallel()` splits kernels over devices, on JAX.
# * The same program trains the same steps on TensorFlow and with `torchrun`.
# * `dtype="mixed_bfloat16"` is one argument of the backbone.
#
# [Many devices](../docs/many_devices.md) has a table of what works on which backend
# (gradient accumulation, several hosts, TPU and more).
#
# **Next:** [Reproducing the papers](09_reproducing_the_papers.ipynb) estimates the time
# that the papers' full trainings would take.
