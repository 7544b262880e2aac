"""Runs exported models as their users do: by their runtimes, without Keras.

    python run_exported.py IMAGES OUTPUTS EXPORTED...

IMAGES is a `.npz` file of batches; OUTPUTS is written with an array per
exported model and batch, and the names of what of Keras got imported.
"""

import sys
from pathlib import Path

import numpy as np


def saved_model(path):
    import tensorflow as tf

    # Its variables live as long as the loaded object only.
    loaded = tf.saved_model.load(path)
    return lambda images: loaded.serve(images).numpy()


def onnx(path):
    from onnxruntime import InferenceSession

    session = InferenceSession(path)
    return lambda images: session.run(None, {"images": images})[0]


def litert(path):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)
    place = interpreter.get_input_details()[0]["index"]

    def run(images):
        interpreter.resize_tensor_input(place, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(place, images)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return run


def torch(path):
    import torch

    torch.set_num_threads(1)
    program = torch.export.load(path).module()
    return lambda images: program(torch.from_numpy(images)).detach().numpy()


RUNTIMES = {"": saved_model, ".onnx": onnx, ".tflite": litert, ".pt2": torch}


def main(images, outputs, *exported):
    found = {}
    with np.load(images) as batches:
        for path in map(Path, exported):
            run = RUNTIMES[path.suffix](str(path))
            for name in batches.files:
                found[f"{path.stem} {name}"] = run(batches[name])
    found["imported"] = sorted({"keras", "keras_mixvit"} & set(sys.modules))
    np.savez(outputs, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
