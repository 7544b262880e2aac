"""Arguments of each public class of `keras_mixvit.distribution`, none its default."""

ARGUMENTS = {
    "Parallel": lambda: {"num_replicas": 4, "process_index": 1, "process_count": 2},
}
