import keras

from keras_mixvit._kept_steps import KeepsSteps


@keras.saving.register_keras_serializable(package="keras_mixvit")
class Graph(KeepsSteps, keras.Model):
    """A functional model that shares its layers with a model of this library.

    An error in its `predict` must not cost the other one its weights.

    Args:
        inputs: What `keras.Model` takes.
        outputs: What `keras.Model` takes.
        name: String, the name of the model, or `None`. Defaults to `None`.
    """
