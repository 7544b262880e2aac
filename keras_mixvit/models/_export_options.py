"""What Keras's export needs to be told to write models that work."""


def export_options(format: str, input_signature) -> dict:
    """Keyword arguments of `keras.Model.export` for a format."""
    if format == "torch" and input_signature is None:
        import torch

        # Else the program would take batches of one image only.
        return {"dynamic_shapes": {0: torch.export.Dim("batch", min=1)}}
    if format == "onnx":
        _register_erfc()
    return {}


def _register_erfc():
    """Tells tf2onnx how to write TensorFlow's exact GELU.

    tf2onnx knows no Erfc and would write a node that no runtime has.
    """
    import numpy as np
    from tf2onnx import utils
    from tf2onnx.handler import tf_op

    @tf_op("Erfc")
    class Erfc:
        """erfc(x) = 1 - erf(x)."""

        @classmethod
        def version_9(cls, ctx, node, **kwargs):
            dtype = utils.map_onnx_to_numpy_type(ctx.get_dtype(node.output[0]))
            shapes, dtypes = node.output_shapes, node.output_dtypes
            ctx.remove_node(node.name)
            erf = ctx.make_node("Erf", node.input, shapes=shapes, dtypes=dtypes)
            one = ctx.make_const(utils.make_name("one"), np.ones((), dtype))
            ctx.make_node(
                "Sub",
                [one.output[0], erf.output[0]],
                outputs=node.output,
                shapes=shapes,
                dtypes=dtypes,
            )
