"""Optimizers with a learning rate of its own for each variable."""

import re
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import is_integer, is_number, require
from keras_mixvit._model_mixin import ModelMixin
from keras_mixvit._types import Tensor


class LayerwiseRates(ModelMixin):
    """Mixin of a Keras optimizer: each variable has its own rate and first step.

    Keras decays all weights at one rate, before it steps. The decay of a variable must
    follow the rate of the variable, so this class does it in `update_step`, and passes
    no decay to Keras. `update_step` is the method that Keras documents for optimizers
    of your own; on PyTorch, Keras then calls it once for each variable.
    """

    rates: dict[str, float]
    starts: dict[str, int]
    decay: float | None
    _undecayed: tuple[list[str], list[str]]
    _of_variables: list[tuple[float, int, bool]]

    def _set_rates(self, rates, starts, weight_decay):
        for name, given in (("rates", rates), ("starts", starts)):
            require(
                given is None or isinstance(given, Mapping),
                f"`{name}` must be a dict, or None.",
                **{name: given},
            )
        for path, rate in (rates or {}).items():
            require(
                is_number(rate) and 0 <= rate < float("inf"),
                "`rates` must map paths of variables to finite factors of at least 0.",
                rates={path: rate},
            )
        for path, start in (starts or {}).items():
            require(
                is_integer(start) and start >= 0,
                "`starts` must map paths of variables to integers of at least 0.",
                starts={path: start},
            )
        require(
            weight_decay is None
            or (is_number(weight_decay) and 0 <= weight_decay < float("inf")),
            "`weight_decay` must be a finite number of at least 0, or None.",
            weight_decay=weight_decay,
        )
        self.rates, self.starts = dict(rates or {}), dict(starts or {})
        self.decay = weight_decay
        self._undecayed = [], []

    def exclude_from_weight_decay(
        self, var_list: list | None = None, var_names: list[str] | None = None
    ) -> None:
        """Excludes variables from weight decay; call it before the first step.

        Args:
            var_list: List of variables, or `None`. Defaults to `None`.
            var_names: List of strings, or `None`: variables whose names contain one of
                them are excluded. Defaults to `None`.
        """
        # Keras lists its own exclusions when a model is saved.
        super().exclude_from_weight_decay(var_list, var_names)
        paths = [variable.path for variable in var_list or ()]
        self._undecayed = paths, list(var_names or ())

    def build(self, variables: list) -> None:
        """Makes the state for these variables, and looks up their rates.

        Args:
            variables: List of Keras variables.

        Raises:
            ValueError: If `rates` or `starts` has the path of another variable.
        """
        if self.built:
            return
        paths = [variable.path for variable in variables]
        for name in ("rates", "starts"):
            unknown = sorted(set(getattr(self, name)) - set(paths))
            require(
                not unknown,
                f"`{name}` must have paths of variables that are trained.",
                **{name: unknown[:3]},
            )
        excluded, names = self._undecayed
        self._of_variables = [
            (
                float(self.rates.get(variable.path, 1.0)),
                int(self.starts.get(variable.path, 0)),
                bool(self.decay)
                and variable.path not in excluded
                and not any(re.search(name, variable.name) for name in names),
            )
            for variable in variables
        ]
        super().build(variables)

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Any) -> None:
        """Updates one variable, at its own rate.

        Args:
            gradient: Tensor.
            variable: Variable.
            learning_rate: Scalar, the rate of this step.
        """
        factor, start, decays = self._of_variables[self._get_variable_index(variable)]
        rate = ops.cast(learning_rate, variable.dtype) * factor
        if start:
            # A schedule counts batches, and so do the starts.
            batches = self.iterations * (self.gradient_accumulation_steps or 1)
            rate = ops.where(batches < start, ops.zeros_like(rate), rate)
        if decays:
            self.assign_sub(variable, variable * (rate * self.decay))
        super().update_step(gradient, variable, rate)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "weight_decay": self.decay,
            "rates": dict(self.rates),
            "starts": dict(self.starts),
        }


@keras.saving.register_keras_serializable(package="keras_mixvit")
class LayerwiseAdamW(LayerwiseRates, keras.optimizers.Adam):
    """AdamW whose learning rate differs between variables, to fine-tune a network.

    Layer-wise decay trains the layers near the images more slowly than those near the
    classes: `model.layer_rates(0.75)` makes such `rates`. `starts` makes variables wait
    until others have learned. The weight decay of a variable follows its own rate, so
    it is the attribute `decay` and not Keras's `weight_decay`, which is `None`. With
    empty `rates` and `starts`, this is Keras's AdamW.

    Args:
        learning_rate: Float, or a schedule. Defaults to `0.001`.
        weight_decay: Non-negative float, the decay of the weights times the learning
            rate, or `None`. Defaults to `0.05`.
        rates: Dict from paths of variables to factors of at least 0 for the learning
            rate, or `None`; other variables have the factor 1. Defaults to `None`.
        starts: Dict from paths of variables to the batches that they wait, or `None`;
            others learn from the first batch. Defaults to `None`.
        **kwargs: Further arguments of `keras.optimizers.Adam`, such as `beta_2` and
            `use_ema`.

    Raises:
        ValueError: If an argument is out of its range, or, in the first step, a path
            is not that of a trained variable.

    Example:

    ```python
    model = SingleNetwork(CaiT((8, 8, 1), 2, 16, 4, num_blocks=1), num_classes=2)
    optimizer = LayerwiseAdamW(1e-3, rates=model.layer_rates(0.75))
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True))
    assert min(optimizer.rates.values()) < max(optimizer.rates.values()) == 1.0
    ```

    References:
        BEiT (Bao et al., 2022); Decoupled Weight Decay Regularization
        (Loshchilov and Hutter, 2019).
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.05,
        rates: dict[str, float] | None = None,
        starts: dict[str, int] | None = None,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self._set_rates(rates, starts, weight_decay)


@keras.saving.register_keras_serializable(package="keras_mixvit")
class LayerwiseSGD(LayerwiseRates, keras.optimizers.SGD):
    """SGD whose learning rate differs between variables, to fine-tune a network.

    It is to `keras.optimizers.SGD` what `LayerwiseAdamW` is to AdamW. The weight decay
    is decoupled, as in Keras.

    Args:
        learning_rate: Float, or a schedule. Defaults to `0.01`.
        weight_decay: Non-negative float, the decay of the weights times the learning
            rate, or `None`. Defaults to `None`.
        rates: Dict from paths of variables to factors of at least 0 for the learning
            rate, or `None`; other variables have the factor 1. Defaults to `None`.
        starts: Dict from paths of variables to the batches that they wait, or `None`;
            others learn from the first batch. Defaults to `None`.
        **kwargs: Further arguments of `keras.optimizers.SGD`, such as `momentum` and
            `nesterov`.

    Raises:
        ValueError: If an argument is out of its range, or, in the first step, a path
            is not that of a trained variable.

    Example:

    ```python
    model = SingleNetwork(WideResNet((8, 8, 1), 10, 1), num_classes=2)
    optimizer = LayerwiseSGD(0.1, momentum=0.9, rates=model.layer_rates(0.5))
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True))
    ```

    References:
        As for `LayerwiseAdamW`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        weight_decay: float | None = None,
        rates: dict[str, float] | None = None,
        starts: dict[str, int] | None = None,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self._set_rates(rates, starts, weight_decay)
