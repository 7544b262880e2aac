import keras

from keras_mixvit._kept_steps import KeepsSteps


@keras.saving.register_keras_serializable(package="keras_mixvit")
class Graph(KeepsSteps, keras.Model):
    """A functional model that shares its layers with a model of this library.

    `keras.Model` documents its arguments. An error in its `predict` does not cost
    the other model its weights.
    """
