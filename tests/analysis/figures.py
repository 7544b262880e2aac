"""What the tests of figures share: whether one can be read."""


def labels_of(figure) -> set[tuple[str, str]]:
    """Names of the two axes of every panel, without scales of colours."""
    return {
        (axes.get_xlabel(), axes.get_ylabel())
        for axes in figure.axes
        if axes.get_label() != "<colorbar>"
    }


def assert_saves(figure, path):
    """Requires a figure that can be drawn, at most as wide as a notebook."""
    figure.savefig(path / "figure.png")
    assert (path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert figure.get_figwidth() <= 7.4
    assert figure.dpi == 100
    assert figure.get_facecolor() == (1.0, 1.0, 1.0, 1.0)


def kernels(layer):
    return [v for v in layer.trainable_variables if v.path.endswith("kernel")]
