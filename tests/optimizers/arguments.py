"""Arguments of each public class of `keras_mixvit.optimizers`, none its default."""

GIVEN = {
    "learning_rate": 0.5,
    "weight_decay": 0.25,
    "rates": {"kernel": 0.5},
    "starts": {"kernel": 3},
}
ARGUMENTS = {
    "LayerwiseAdamW": lambda: GIVEN,
    "LayerwiseSGD": lambda: GIVEN,
}
