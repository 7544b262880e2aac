"""Arguments of each public class of `keras_mixvit.prediction`, none its default."""

ARGUMENTS = {
    "Prediction": lambda: {
        "image": "a.png",
        "classes": ("cat",),
        "probabilities": (0.5,),
        "entropy": 1.25,
        "mutual_information": 0.25,
        "disagreement": 1.0,
        "unlikeness": -3.0,
        "unlike_training": True,
        "prediction_set": ("cat", "dog"),
        "error": "damaged",
    },
}
