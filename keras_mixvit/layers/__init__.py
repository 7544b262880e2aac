"""The layers of the networks and of their MIMO training."""

from keras_mixvit.layers.basic_block import BasicBlock
from keras_mixvit.layers.batch_normalization import SynchronizedBatchNormalization
from keras_mixvit.layers.binarized_patch_cutmix import BinarizedPatchCutMix
from keras_mixvit.layers.class_attention import ClassAttention
from keras_mixvit.layers.class_attention_block import ClassAttentionBlock
from keras_mixvit.layers.class_token import ClassToken
from keras_mixvit.layers.dropout import Dropout
from keras_mixvit.layers.gated_positional_attention import (
    GatedPositionalAttention,
)
from keras_mixvit.layers.layer_scale import LayerScale
from keras_mixvit.layers.mlp import MLP
from keras_mixvit.layers.patch_embedding import PatchEmbedding
from keras_mixvit.layers.position_embedding import PositionEmbedding
from keras_mixvit.layers.preactivation_block import PreActivationBlock
from keras_mixvit.layers.seed_generator import ReplicaSeedGenerator
from keras_mixvit.layers.self_attention import SelfAttention
from keras_mixvit.layers.source_embedding import SourceEmbedding
from keras_mixvit.layers.source_encoding import SourceEncoding
from keras_mixvit.layers.stochastic_depth import StochasticDepth
from keras_mixvit.layers.subnetwork_heads import SubnetworkHeads
from keras_mixvit.layers.talking_heads_attention import TalkingHeadsAttention
from keras_mixvit.layers.transformer_block import TransformerBlock

__all__ = [
    "MLP",
    "BasicBlock",
    "BinarizedPatchCutMix",
    "ClassAttention",
    "ClassAttentionBlock",
    "ClassToken",
    "Dropout",
    "GatedPositionalAttention",
    "LayerScale",
    "PatchEmbedding",
    "PositionEmbedding",
    "PreActivationBlock",
    "ReplicaSeedGenerator",
    "SelfAttention",
    "SourceEmbedding",
    "SourceEncoding",
    "StochasticDepth",
    "SubnetworkHeads",
    "SynchronizedBatchNormalization",
    "TalkingHeadsAttention",
    "TransformerBlock",
]
