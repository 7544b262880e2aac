from dataclasses import dataclass


@dataclass(frozen=True)
class Conversion:
    """The report of a conversion: which weights it loaded, and which it did not.

    Print it for a summary in four lines.

    Args:
        loaded: Tuple of strings, the names in the file that were loaded.
        resized: Tuple of strings, the loaded names that were resized to another grid.
            Defaults to `()`.
        unused: Tuple of strings, the names in the file that were not loaded, such as
            its head. Defaults to `()`.
        untouched: Tuple of strings, the paths of variables that keep their values, such
            as new heads and source attribution. Defaults to `()`.

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
