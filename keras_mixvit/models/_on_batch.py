from typing import Any

import numpy as np

from keras_mixvit._model_mixin import ModelMixin
from keras_mixvit.models._argument_checks import full_weights
from keras_mixvit.models._class_weights import class_weights
from keras_mixvit.models._data_checks import check_arrays
from keras_mixvit.models._step_functions import make_steps_weigh


class OnBatch(ModelMixin):
    """Mixin of `MIMOModel`: Keras's methods for one batch, with the checks of `fit`."""

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | str | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Runs one training step, as `keras.Model.train_on_batch` does.

        Args:
            x: Images, or a mixed pair.
            y: Labels. Defaults to `None`.
            sample_weight: Array of weights, `(B,)` or of mixed pairs also
                `(B, M)`. Defaults to `None`.
            class_weight: As in `fit`. Defaults to `None`.
            return_dict: Boolean, whether to return a dict. Defaults to
                `False`.

        Returns:
            The loss and metrics, as `keras.Model.train_on_batch` returns them.

        Raises:
            ValueError: If data do not fit the model.
        """
        check_arrays(self, x, y)
        make_steps_weigh(self, class_weights(class_weight, x, y, self.num_classes))
        sample_weight = full_weights(sample_weight, x, self.num_subnetworks)
        return super().train_on_batch(
            x, y, sample_weight=sample_weight, return_dict=return_dict
        )

    def test_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Runs one evaluation step, as `keras.Model.test_on_batch` does.

        Args:
            x: Images, or a mixed pair.
            y: Labels. Defaults to `None`.
            sample_weight: Array of weights, `(B,)` or of mixed pairs also
                `(B, M)`. Defaults to `None`.
            return_dict: Boolean, whether to return a dict. Defaults to
                `False`.

        Returns:
            The loss and metrics, as `keras.Model.test_on_batch` returns them.

        Raises:
            ValueError: If data do not fit the model.
        """
        check_arrays(self, x, y)
        sample_weight = full_weights(sample_weight, x, self.num_subnetworks)
        return super().test_on_batch(
            x, y, sample_weight=sample_weight, return_dict=return_dict
        )

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """Logits `(B, K)` of the ensemble for one batch of images.

        Args:
            x: Images.

        Returns:
            Array `(B, K)`.

        Raises:
            ValueError: If images do not fit the model.
        """
        check_arrays(self, x, None)
        return super().predict_on_batch(x)
