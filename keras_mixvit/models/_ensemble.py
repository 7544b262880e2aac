from typing import Any, Self

import keras
from keras import ops

from keras_mixvit._checks import require
from keras_mixvit.models._graph import Graph
from keras_mixvit.models._mimo_model import MIMOModel


@keras.saving.register_keras_serializable(package="keras_mixvit")
class Ensemble(MIMOModel):
    """N trained models as one, which predicts the mean over all their subnetworks.

    Use it to evaluate, save, load or export several trained models together. They
    share their weights with the ensemble; you train them, not the ensemble. With
    single networks it is a deep ensemble; with MIMO models it averages N times M
    predictions.

    Args:
        models: List of models of this library with equal images and classes.
        ensemble_of: `"logits"` or `"probabilities"`, what is averaged; the
            output is always logits. Defaults to `"logits"`.
        temperature: Positive float, by which `predict(x, calibrated=True)`
            divides logits. Defaults to `1.0`.
        name: String, the name of the model. Defaults to `"ensemble"`.
        dtype: Dtype or dtype policy of the mean, or `None` for that of the
            first model. Defaults to `None`.

    Input shape:
        `(B, H, W, C)`.

    Output shape:
        `(B, K)`, logits.

    Raises:
        ValueError: If the list is empty, a model is not from this library or is listed
            twice, or models differ in images or classes.

    Example:

    ```python
    models = [
        SingleNetwork(ConViT((8, 8, 1), 2, 16, 4, 1, 1), num_classes=10)
        for _ in range(2)
    ]
    assert Ensemble(models)(np.zeros((2, 8, 8, 1))).shape == (2, 10)
    ```

    References:
        MixMo, Sections 4.6 and 6.10; Deep Ensembles (Lakshminarayanan et al.,
        2017).
    """

    def __init__(
        self,
        models: list[MIMOModel],
        ensemble_of: str = "logits",
        temperature: float = 1.0,
        name: str = "ensemble",
        dtype: Any = None,
    ):
        require(
            isinstance(models, (list, tuple))
            and len(models) > 0
            and all(isinstance(model, MIMOModel) for model in models),
            "`models` must be a list of models of this library.",
            models=models,
        )
        require(
            len({id(model) for model in models}) == len(models),
            "`models` must not hold one model twice.",
            models=[model.name for model in models],
        )
        forms = [(*model.image_shape, model.num_classes) for model in models]
        require(
            len(set(forms)) == 1,
            "`models` must have the same images (H, W, C) and classes K.",
            forms=forms,
        )
        logits = [model.inference_network.output for model in models]
        super().__init__(
            models[0].image_shape,
            models[0].num_classes,
            sum(output.shape[1] for output in logits),
            ensemble_of,
            temperature,
            name=name,
            dtype=models[0].dtype_policy if dtype is None else dtype,
        )
        self.models = list(models)
        images = keras.Input(self.image_shape, name="images")
        # With names of their own: a graph refuses two layers of one name.
        graphs = [
            keras.Model(
                model.inference_network.inputs,
                model.inference_network.outputs[0],
                name=f"model_{i}",
            )
            for i, model in enumerate(models)
        ]
        outputs = [graph(images) for graph in graphs]
        network = Graph(images, ops.concatenate(outputs, axis=1), name="inference")
        # An ensemble takes no mixed pairs: both graphs are the same.
        self._connect(network, network)

    @property
    def learns_from_images(self) -> bool:
        """False: train its models one by one."""
        return False

    @property
    def takes_pairs(self) -> bool:
        """False: an ensemble does not train, so it takes no mixed pairs."""
        return False

    def train_step(self, *args: Any) -> Any:
        self.fit()

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Raises an error: train the models of an ensemble one by one, before.

        Args:
            *args: As in `MIMOModel.fit`.
            **kwargs: As in `MIMOModel.fit`.

        Raises:
            ValueError: Always.
        """
        require(
            False,
            "`models` must be trained one by one, before you make an ensemble of them.",
            models=[model.name for model in self.models],
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "models": [keras.saving.serialize_keras_object(m) for m in self.models],
            "ensemble_of": self.ensemble_of,
            "temperature": self.temperature,
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        models = [keras.saving.deserialize_keras_object(m) for m in config["models"]]
        return cls(**{**config, "models": models})
