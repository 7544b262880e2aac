import weakref

import keras

# Data sets whose batches TensorFlow serves. What is made from their
# `tf.data.Dataset`, such as `.prefetch(2)`, cannot be traced back to them.
SERVED: "weakref.WeakSet" = weakref.WeakSet()


def tf_batches(pairs):
    """The batches of a `MixedPairDataset` as a `tf.data.Dataset`.

    Args:
        pairs: `MixedPairDataset`.

    Returns:
        A `tf.data.Dataset` of one epoch per iteration.
    """
    import tensorflow as tf

    completed = []

    def one_epoch():
        # An iteration may be dropped half-way: Keras looks at the first batch
        # before it trains. Only a complete one moves the epoch on, and none
        # where somebody sets it.
        if completed == [pairs.epoch_changes]:
            pairs.epoch += 1
        changes, epoch = pairs.epoch_changes, pairs.epoch
        last = len(pairs) - 1
        for index in range(last + 1):
            if index == last:
                completed[:] = [changes]
            yield pairs._get(index, epoch)

    def spec(array):
        # The last batch may be smaller.
        return tf.TensorSpec((None, *array.shape[1:]), array.dtype)

    signature = keras.tree.map_structure(spec, pairs.batch(0, 0))
    data = tf.data.Dataset.from_generator(one_epoch, output_signature=signature)
    data = data.apply(tf.data.experimental.assert_cardinality(len(pairs)))
    SERVED.add(pairs)
    data._mixed_pairs = pairs
    return data


def pairs_of(data):
    """The `MixedPairDataset` behind a `tf.data.Dataset`, or `None`.

    Args:
        data: Anything.
    """
    return getattr(data, "_mixed_pairs", None)
