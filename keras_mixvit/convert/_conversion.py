from dataclasses import dataclass


@dataclass(frozen=True)
class Conversion:
    """What a conversion of weights read, and what it did not change.

    Printed, it is a summary in four lines.

    Args:
        loaded: Tuple of strings, the names in the file whose weights the model
            now has.
        resized: Tuple of strings, those of them that were resized to another
            grid. Defaults to `()`.
        unused: Tuple of strings, the names in the file that the model did not
            take, its head for one. Defaults to `()`.
        untouched: Tuple of strings, the paths of variables of the model that
            keep their values, new heads and source attribution for example.
            Defaults to `()`.

    Example:

    ```python
    print(Conversion(loaded=("norm.weight",), unused=("head.bias",)))
    ```
    """

    loaded: tuple[str, ...]
    resized: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    untouched: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(
            [
                f"loaded: {len(self.loaded)} arrays",
                f"resized: {_listed(self.resized)}",
                f"not used: {_listed(self.unused)}",
                f"left as they were: {_listed(self.untouched)}",
            ]
        )


def _listed(names):
    return ", ".join(names) or "none"
