import os
from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import require_choice, require_temperature
from keras_mixvit._export_formats import IMAGE_DTYPES
from keras_mixvit._model_mixin import ModelMixin
from keras_mixvit.models._ensembling import ensemble_logits
from keras_mixvit.models._export_checks import require_export
from keras_mixvit.models._graph import Graph
from keras_mixvit.models._keras_workarounds import (
    export_options,
    exporting,
    load_seeds,
    save_seeds,
    saved_names,
)
from keras_mixvit.models._quantized_layers import quantized_layers


class Files(ModelMixin):
    """Mixin of `MIMOModel`: writes and reads its files."""

    def ensemble(
        self, temperature: float | None = None, image_dtype: str = "float32"
    ) -> keras.Model:
        """The ensemble as a functional model of images, with shared weights.

        Args:
            temperature: Positive float, by which its logits are divided, or
                `None` for the model's `temperature` of now. `1.0` gives plain
                logits. Defaults to `None`.
            image_dtype: `"float32"` or `"uint8"`, what images the graph takes, on
                the scale of the training images; bytes are what image files hold.
                Defaults to `"float32"`.

        Returns:
            A graph from images to logits `(B, K)`.

        Raises:
            ValueError: If `temperature` is no positive finite number, or
                `image_dtype` is neither.
        """
        if temperature is None:
            temperature = self.temperature
        require_temperature(temperature)
        require_choice("image_dtype", image_dtype, IMAGE_DTYPES)
        images = keras.Input(self.image_shape, name="images", dtype=image_dtype)
        # Within the graph: every runtime takes the bytes as they are.
        is_float = image_dtype == "float32"
        values = images if is_float else ops.cast(images, "float32")
        logits = self.inference_network(values)
        outputs = ensemble_logits(logits, self.ensemble_of)
        if temperature != 1:
            outputs = outputs / float(temperature)
        return Graph(images, outputs, name=f"{self.name}_ensemble")

    def export(
        self,
        filepath: str | os.PathLike,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        temperature: float | None = None,
        image_dtype: str = "float32",
        **kwargs: Any,
    ) -> None:
        """Writes the ensemble, a classifier of images, to run it without Keras.

        Args:
            filepath: Path to write to: a folder for `"tf_saved_model"`, else
                a file ending in `.onnx`, `.tflite` or `.pt2`.
            format: `"tf_saved_model"` (on TensorFlow, or on JAX with
                TensorFlow installed), `"onnx"` or `"litert"` (on TensorFlow),
                or `"torch"` (on PyTorch). Defaults to `"tf_saved_model"`.
            verbose: Boolean, whether Keras prints what it wrote, or `None`
                for its default. Defaults to `None`.
            input_signature: As in `keras.Model.export`, or `None` for
                images in batches of any size. Defaults to `None`.
            temperature: What `ensemble` takes: by default, the exported logits
                are divided by the temperature of the model. Defaults to `None`.
            image_dtype: What `ensemble` takes: `"float32"` or `"uint8"`. Defaults
                to `"float32"`.
            **kwargs: Further arguments of `keras.Model.export`.

        Raises:
            ValueError: If the backend cannot write the format (the error names a
                workaround), the path does not fit it, `temperature` is not a
                positive finite number, or there is no such `image_dtype`.
            ModuleNotFoundError: If a package that the format needs is missing.
        """
        require_export(str(filepath), format)
        ensemble = self.ensemble(temperature, image_dtype)
        with exporting(ensemble, self.image_shape, format):
            ensemble.export(
                filepath,
                format=format,
                verbose=verbose,
                input_signature=input_signature,
                **{**export_options(format, input_signature), **kwargs},
            )

    def save(self, filepath: str | os.PathLike, *args: Any, **kwargs: Any) -> None:
        """Saves the model with its weights, as `keras.Model.save` does.

        Args:
            filepath: Path of the file.
            *args: Further arguments of `keras.Model.save`.
            **kwargs: Further arguments of `keras.Model.save`.

        Raises:
            ValueError: If a layer is quantized in a mode that cannot be saved.
        """
        # Keras opens the file before it asks for the config.
        quantized_layers(self)
        super().save(filepath, *args, **kwargs)

    def __dir__(self):
        return saved_names(super().__dir__())

    def save_own_variables(self, store: Any) -> None:
        """Writes the seeds of the model, which Keras does not save."""
        super().save_own_variables(store)
        save_seeds(self, store)

    def load_own_variables(self, store: Any) -> None:
        """Reads the seeds of the model; older files have none."""
        load_seeds(self, store)
