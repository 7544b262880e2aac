from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import require
from keras_mixvit._replicas import are_several, sum_over_replicas
from keras_mixvit.layers._inner_calls import ON_TORCH
from keras_mixvit.layers._torch_images import normalize


class SynchronizedBatchNormalization(keras.layers.BatchNormalization):
    """Batch norm with the statistics of the whole batch, on every backend.

    Use it to train on several devices. If a batch is split over replicas, mean and
    variance are those of the whole batch, so a model trains the same way on any number
    of devices. On JAX, Keras's layer does this, too; on TensorFlow it does with
    `synchronized=True`, on PyTorch it cannot. A file stores this layer as Keras's, so
    it loads wherever that does.

    Args:
        **kwargs: Arguments of `keras.layers.BatchNormalization`, except `synchronized`
            and `renorm`.

    Call arguments:
        inputs: The values to normalize.
        training: Boolean, whether to use the statistics of the batch.
        mask: Boolean tensor, or `None`. With a mask, the layer acts like Keras's.

    Input shape:
        Any shape whose normalized axis has a known size.

    Output shape:
        As the input.

    Raises:
        ValueError: If `synchronized` or `renorm` is given.

    Example:

    ```python
    norm = SynchronizedBatchNormalization(momentum=0.9)
    assert norm(np.ones((4, 8)), training=True).shape == (4, 8)
    ```

    References:
        MixMo, Section 4.1 (its networks); Ioffe and Szegedy, 2015.
    """

    def __init__(self, **kwargs: Any):
        for argument in ("synchronized", "renorm"):
            require(
                not kwargs.get(argument),
                f"`{argument}` must not be set: this layer always synchronises and "
                "never renormalises.",
                **{argument: kwargs.get(argument)},
            )
        super().__init__(**kwargs)

    @property  # type: ignore[misc]
    def __class__(self):
        # Keras writes the name of this class into files.
        return keras.layers.BatchNormalization

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        # This mark distinguishes it from Keras's layer in `fit` on several replicas.
        self.moving_mean.is_of_all_replicas = True

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        batch_statistics = training and self.trainable
        if not (batch_statistics and mask is None and are_several()):
            if ON_TORCH and mask is None and len(inputs.shape) > 1:
                outputs = normalize(self, inputs, batch_statistics)
                if outputs is not None:
                    return outputs
            return super().call(inputs, training=training, mask=mask)
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        inputs = ops.cast(inputs, dtype)
        mean, variance = self._whole_moments(inputs)
        for moving, value in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        outputs = ops.batch_normalization(
            inputs,
            mean,
            variance,
            axis=self.axis,
            offset=ops.cast(self.beta, dtype) if self.center else None,
            scale=ops.cast(self.gamma, dtype) if self.scale else None,
            epsilon=self.epsilon,
        )
        return ops.cast(outputs, self.compute_dtype)

    def _whole_moments(self, inputs):
        """Mean and variance over all replicas, in one exchange."""
        axes = [axis % len(inputs.shape) for axis in range(len(inputs.shape))]
        axes.remove(self.axis % len(inputs.shape))
        features = inputs.shape[self.axis]
        count = ops.cast(ops.size(inputs), inputs.dtype) / features
        found = ops.concatenate(
            [
                ops.sum(inputs, axes),
                ops.sum(ops.square(inputs), axes),
                ops.reshape(count, (1,)),
            ]
        )
        found = sum_over_replicas(found)
        mean = found[:features] / found[-1]
        mean_square = found[features:-1] / found[-1]
        return mean, ops.maximum(mean_square - ops.square(mean), 0.0)
