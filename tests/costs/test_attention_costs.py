import keras

from keras_mixvit import layers
from keras_mixvit.costs import flops
from keras_mixvit.costs._cost import Cost

GRID, N, D, HEADS = (2, 3, 8), 6, 8, 2


def test_one_class_token_for_all_subnetworks_meets_the_grid_once():
    reports = []
    for shape in ((3, D), (D,)):
        token, grid = keras.Input(shape), keras.Input(GRID)
        numbers = [keras.Input((3, *GRID[:2])) for _ in range(2)]
        vectors = layers.SourceEmbedding(3)(grid, added=False)
        block = layers.ClassAttentionBlock(layers.ClassAttention(HEADS), name="block")
        outputs = block(token, grid, *numbers, vectors)
        model = keras.Model([token, grid, *numbers], outputs)
        reports.append(flops(model))
    # Query and absorbed key, three biases, gains; scores of every head on the grid.
    once = Cost(
        multiply_adds=2 * D**2 + HEADS * N * D,
        biases=3 * D,
        elementwise=D + HEADS * D,
    )
    normed = Cost(norms=7 * D)
    many, one = (report.total for report in reports)
    assert many - one == sum([once + normed] * 2, Cost())
    row = next(row for row in reports[1].rows if row.name.endswith("/queries"))
    assert (row.count, row.cost) == (1, once)
