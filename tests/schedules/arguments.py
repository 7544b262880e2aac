"""Arguments of each public class of `keras_mixvit.schedules`, none its default."""

ARGUMENTS = {
    "WarmupStepDecay": lambda: {
        "learning_rate": 0.01,
        "total_steps": 20,
        "warmup": 0.2,
        "decay_at": (0.5,),
        "decay_rate": 0.2,
    },
}
