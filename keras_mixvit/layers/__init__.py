"""The layers of the networks and of their MIMO training."""

from keras_mixvit.layers._basic_block import BasicBlock
from keras_mixvit.layers._batch_normalization import SynchronizedBatchNormalization
from keras_mixvit.layers._binarized_patch_cutmix import BinarizedPatchCutMix
from keras_mixvit.layers._class_attention import ClassAttention
from keras_mixvit.layers._class_attention_block import ClassAttentionBlock
from keras_mixvit.layers._class_token import ClassToken
from keras_mixvit.layers._dropout import Dropout
from keras_mixvit.layers._gated_positional_attention import GatedPositionalAttention
from keras_mixvit.layers._layer_scale import LayerScale
from keras_mixvit.layers._mlp import MLP
from keras_mixvit.layers._patch_embedding import PatchEmbedding
from keras_mixvit.layers._position_embedding import PositionEmbedding
from keras_mixvit.layers._preactivation_block import PreActivationBlock
from keras_mixvit.layers._prefix_tokens import PrefixTokens
from keras_mixvit.layers._random_patch_cutmix import RandomPatchCutMix
from keras_mixvit.layers._seed_generator import ReplicaSeedGenerator
from keras_mixvit.layers._self_attention import SelfAttention
from keras_mixvit.layers._source_embedding import SourceEmbedding
from keras_mixvit.layers._source_encoding import SourceEncoding
from keras_mixvit.layers._stochastic_depth import StochasticDepth
from keras_mixvit.layers._subnetwork_heads import SubnetworkHeads
from keras_mixvit.layers._talking_heads_attention import TalkingHeadsAttention
from keras_mixvit.layers._transformer_block import TransformerBlock

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
    "PrefixTokens",
    "RandomPatchCutMix",
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
