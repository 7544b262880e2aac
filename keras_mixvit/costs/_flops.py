from dataclasses import replace

import keras

from keras_mixvit._checks import require, require_choice
from keras_mixvit.backbones import Backbone
from keras_mixvit.costs._appendix_a import appendix_a
from keras_mixvit.costs._cost import Cost
from keras_mixvit.costs._flop_report import FlopReport, FlopRow, PerSubnetwork
from keras_mixvit.costs._layer_calls import LayerCalls, is_functional
from keras_mixvit.costs._layer_costs import rule_of
from keras_mixvit.layers import ClassAttention, ClassAttentionBlock, SubnetworkHeads
from keras_mixvit.layers._source_attribution import SourceAttribution
from keras_mixvit.layers._source_statistics import SourceStatistics
from keras_mixvit.models import Ensemble, MIMOModel, MixViT

# Layers that create the axis of subnetworks, or have it if they get more than two
# inputs.
PER_SOURCE = (ClassAttention, ClassAttentionBlock, SourceStatistics)


def flops(
    model: keras.Model, training: bool = False, unknown: str = "error"
) -> FlopReport:
    """Counts the operations of a model on one image, layer by layer.

    Multiply-adds of convolutions and matrix products are exact, also in all attention
    layers. Class attention counts as it is computed, without keys and values of the
    tokens. At the border of an image, a kernel counts in full, with its padding, as in
    published figures. Everything else has its own column:

    * biases: one per element;
    * norms: two per element with stored statistics (batch norm in inference), as in the
      MixMo paper; seven with statistics of the input (mean, difference, square, mean of
      squares, quotient, gain, shift), fewer without gain or shift;
    * activations: one per element; softmax: five (maximum, difference, exponential,
      sum, quotient);
    * elementwise: sums of branches, scaling of queries, gains, masks, dropout in
      training; pooling with one per element of each window;
    * per call: the positional part of gated positional attention, which is the same for
      all images of a batch. It belongs to a call, not to an image, so no sum includes
      it.

    FLOPs are twice the multiply-adds plus all other columns except the last.
    `Cost.with_norms`, multiply-adds plus norms, is what the MixMo paper calls flops.
    For a model of this library, it counts `inference_network` up to the subnetwork
    logits, without their mean. Memory traffic is not an operation: reshaping, padding
    and joining cost nothing.

    One subnetwork alone costs everything that runs once, plus one share of what runs
    once per subnetwork; every further one adds that share. A model with parallel
    inference has exactly the multiply-adds of the former with `inference=0`. All tokens
    cost M squared, so there `alone` is the backbone on one image and `further` the
    average. The models of an `Ensemble` share nothing: both are the mean over all
    subnetworks.

    Args:
        model: Model of this library, backbone, or functional or sequential
            Keras model, with a known image size.
        training: Boolean; `True` counts the forward pass of `training_network` on one
            mixed sample, with batch statistics and dropout. By the usual convention, a
            step costs three times that: see `training_step_flops`. Defaults to `False`.
        unknown: `"error"` or `"skip"`: whether an unknown layer raises an error or is
            listed in `skipped`. Known layers are those of this library and Keras's own
            dense, convolutional, normalisation, pooling, activation, merging and
            reshaping layers, but not subclasses of these. Defaults to `"error"`.

    Returns:
        `FlopReport`, with `rows`, `stages`, `total`, `per_subnetwork`, `paper`
        and `table()`.

    Raises:
        ValueError: If the model is not a graph of layers, or a size or a layer is
            unknown.

    Example:

    ```python
    backbone = ConViT((8, 8, 1), 2, 16, 4, 1, 1)
    report = flops(MixViT(backbone, num_classes=10))
    assert report.stages["heads"].multiply_adds == 2 * 16 * 10
    print(report.table(by_layer=True))
    ```

    References:
        MixViT, Section 2.4 and Appendix A; MixMo, Section 6.10.
    """
    require_choice("unknown", unknown, ("error", "skip"))
    calls = _calls(model, training)
    rows: list[FlopRow] = []
    skipped: list[str] = []
    for path, stage, call in calls.found:
        _add_rows(rows, skipped, path, stage or "other", call, unknown)
    return FlopReport(
        model.name,
        tuple(rows),
        training,
        tuple(skipped),
        _per_subnetwork(model, rows, calls, training, unknown),
        appendix_a(model, training),
    )


def _calls(model, training):
    calls = LayerCalls(training)
    if isinstance(model, MIMOModel):
        calls.learn_stages(model)
        calls.walk(model.training_network if training else model.inference_network)
    elif isinstance(model, Backbone):
        calls.walk_stages(model)
    else:
        require(
            is_functional(model),
            "`model` must be a model of this library, a backbone, or a functional "
            "or built sequential Keras model.",
            model=model,
        )
        calls.walk(model)
    return calls


def _add_rows(rows, skipped, path, stage, call, unknown):
    rule = rule_of(call.layer)
    layer_class = type(call.layer).__name__
    require(
        rule is not None or unknown == "skip",
        "`model` must have only known layers, or set `unknown` to 'skip'; the layer "
        f"{path!r} is a {layer_class}.",
        unknown=unknown,
    )
    if rule is None:
        skipped.append(f"{path} ({layer_class})")
        return
    found = rule(call)
    cost, parts = (found, ()) if isinstance(found, Cost) else found
    rows.append(FlopRow(path, stage, layer_class, _count(call), cost))
    for part in parts:
        _add_rows(rows, skipped, f"{path}/{part.layer.name}", stage, part, unknown)


def _count(call):
    """The number of subnetworks for which a layer runs on one image."""
    if isinstance(call.layer, SubnetworkHeads):
        return call.output[1]
    if isinstance(call.layer, SourceAttribution):
        # Masks are an input; without them, sources are an axis of the output.
        shape = call.inputs[1] if len(call.inputs) > 1 else call.output
        return shape[0] if len(shape) == 2 else shape[1]
    if isinstance(call.layer, PER_SOURCE) and len(call.inputs) > 2:
        return call.output[1]
    return call.output[0] if call.output else 1


def _per_subnetwork(model, rows, calls, training, unknown):
    if not isinstance(model, MIMOModel):
        return None
    subnetworks = model.num_subnetworks
    total = sum((row.cost for row in rows), Cost())
    if isinstance(model, Ensemble):
        return PerSubnetwork(total // subnetworks, total // subnetworks)
    network = model.training_network if training else model.inference_network
    if network.output.shape[1] == 1:
        return PerSubnetwork(total, None)
    stems = calls.stage_calls.count("stem") > 1
    own = sum((r.cost for r in rows if _is_own(r, stems)), Cost())
    # Operations once per call run once, for any number of subnetworks.
    further = replace(own // subnetworks, per_call=0)
    alone = replace(total - own + further, per_call=total.per_call)
    if isinstance(model, MixViT) and model.input_mixing == "all_tokens":
        backbone = flops(model.backbone, training, unknown).total
        ends = [r.cost for r in rows if r.stage in ("attribution", "heads")]
        alone = sum((cost // subnetworks for cost in ends), backbone)
        further = (total - alone) // (subnetworks - 1)
    return PerSubnetwork(alone, further)


def _is_own(row, several_stems):
    return row.count > 1 or (row.stage == "stem" and several_stems)
