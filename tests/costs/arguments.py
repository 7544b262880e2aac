"""Arguments of each public class of `keras_mixvit.costs`, none its default."""

from keras_mixvit.costs._appendix_a import AppendixA
from keras_mixvit.costs._cost import Cost
from keras_mixvit.costs._flop_report import FlopRow, PerSubnetwork

COST = Cost(multiply_adds=3)


ARGUMENTS = {
    "FlopReport": lambda: {
        "name": "given",
        "rows": (FlopRow("a", "stem", "Dense", 1, COST),),
        "training": True,
        "skipped": ("b (Mine)",),
        "per_subnetwork": PerSubnetwork(COST, COST),
        "paper": AppendixA(5, 2, 64, 384, 2),
    },
}
