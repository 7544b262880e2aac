import keras

from keras_mixvit.backbones._cuts import copied, cuts
from tests.backbones.arguments import keras_model

SHAPE = (8, 6, 2)


def brute_force_cuts(model):
    """Layers without which no path leads from the input to the output."""
    _, calls = copied(model, SHAPE)
    ids = {id(x): call.name for call in calls for x in call.outputs}
    reads = {call.name: [ids.get(id(x)) for x in call.inputs] for call in calls}

    def reaches(name, without):
        if name == without:
            return False
        return name is None or any(reaches(other, without) for other in reads[name])

    return [name for name in reads if not reaches(calls[-1].name, name)]


def test_cuts_are_the_layers_that_every_path_passes():
    model = keras_model()
    copy, calls = copied(model, SHAPE)
    expected = ["first", "norm", "added", "last"]
    assert list(cuts(calls, copy)) == brute_force_cuts(model) == expected


def test_the_input_may_pass_by_as_well():
    pixels = keras.Input(SHAPE)
    x = keras.layers.Conv2D(2, 3, padding="same", name="one")(pixels)
    x = keras.layers.Add(name="sum")([pixels, x])
    x = keras.layers.Conv2D(2, 3, padding="same", name="two")(x)
    model = keras.Model(pixels, x)
    copy, calls = copied(model, SHAPE)
    assert list(cuts(calls, copy)) == ["sum", "two"]
