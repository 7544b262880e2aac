"""Models that keep the state of their last finished step when a run fails.

On JAX, Keras 3.15 takes the values out of the variables before a step, and the compiled
step consumes them. So during a run, only the result of the last step holds the weights.
Keras puts them back when the run ends, but not after an error in `evaluate` or
`predict`. On other backends variables always have values, but Ctrl-C can end a step
halfway.
"""

import contextlib
from typing import Any

import keras

from keras_mixvit._interrupts import interrupted_later
from keras_mixvit._model_mixin import ModelMixin

ON_JAX = keras.config.backend() == "jax"


class KeepsSteps(ModelMixin):
    """Mixin of `keras.Model`: an error in a run loses no finished step.

    After any exception in `fit`, `evaluate`, `predict` or a step on one batch, weights,
    optimizer, seeds and metrics are those of the last finished step, and you can use
    the model again. Ctrl-C waits for the end of the step.

    The mixin refers to state that Keras keeps anyway, so it needs no extra memory.
    """

    train_function: Any
    test_function: Any
    predict_function: Any

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Trains as Keras does, and keeps finished steps after an error."""
        with kept_steps(self):
            history = super().fit(*args, **kwargs)
        if ON_JAX:
            _give_own_arrays(self.trainable_variables, self.optimizer.variables)
        return history

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluates as Keras does, and keeps the weights after an error."""
        with kept_steps(self):
            return super().evaluate(*args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Predicts as Keras does, and keeps the weights after an error."""
        with kept_steps(self):
            return super().predict(*args, **kwargs)

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """One training step, which an error undoes."""
        with kept_steps(self):
            return super().train_on_batch(*args, **kwargs)

    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """One evaluation step, which keeps the weights after an error."""
        with kept_steps(self):
            return super().test_on_batch(*args, **kwargs)

    def predict_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """One prediction step, which keeps the weights after an error."""
        with kept_steps(self):
            return super().predict_on_batch(*args, **kwargs)

    def train_step(self, *args: Any) -> Any:
        """Keras's training step, which fails before it changes anything."""
        if keras.config.backend() != "tensorflow":
            return super().train_step(*args)
        import tensorflow as tf

        # Otherwise a graph decays weights, counts the step and draws seeds before it
        # finds that there is no batch.
        tensors = [tensor for tensor in keras.tree.flatten(args) if tensor is not None]
        with tf.control_dependencies(tensors):
            return super().train_step(*args)

    def make_train_function(self, force: bool = False) -> Any:
        """Keras's train function, which stores its state after each step."""
        _build_optimizer(self)
        super().make_train_function(force)
        self.train_function = remembering(self, self.train_function)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Any:
        """Keras's test function, which stores its state after each step."""
        super().make_test_function(force)
        self.test_function = remembering(self, self.test_function)
        return self.test_function

    def make_predict_function(self, force: bool = False) -> Any:
        """Keras's predict function, which stores its state after each step."""
        super().make_predict_function(force)
        self.predict_function = remembering(self, self.predict_function)
        return self.predict_function

    def jax_state_sync(self) -> None:
        """Puts the state of a finished run into the variables, on JAX."""
        # Keras and its callbacks call this. Keras's own state can be older than this
        # run, or consumed by a step that failed.
        run = _run_of(self)
        if run is not None and run.is_finished:
            super().jax_state_sync()
            run.give_back(self)


def _build_optimizer(model):
    """Creates the variables of an optimizer before a step is compiled, on TensorFlow.

    Without a strategy, Keras 3.15 creates them within the first compiled step, so that
    TensorFlow traces it twice and adds a third graph, which chooses between the two.
    """
    if keras.config.backend() != "tensorflow" or not model.built:
        return
    if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


class Run:
    """The state after the steps of one `fit`, `evaluate` or `predict` on JAX.

    Attributes:
        state: Tuple of lists of arrays, the input of the next step, or `None`.
        is_finished: Boolean, whether a step has finished.
    """

    def __init__(self):
        self.state = None
        self.is_finished = False

    def give_back(self, model) -> bool:
        """Fills variables without a value from `state`; whether all have one."""
        places = [model.trainable_variables, model.non_trainable_variables]
        if self.state is not None and len(self.state) == 4:
            places.append(model.optimizer.variables)
        places.append(model.metrics_variables)
        is_whole = True
        for variables, values in zip(places, self.state or (), strict=False):
            for variable, value in zip(variables, values, strict=True):
                if not has_value(variable):
                    if value.is_deleted():
                        is_whole = False
                    else:
                        variable.assign(value)
        return is_whole and all(map(has_value, model.variables))


@contextlib.contextmanager
def kept_steps(model):
    """Keeps the state of the steps of a model within the context.

    Args:
        model: Model with the mixin.
    """
    if not ON_JAX:
        yield
        return
    runs = model.__dict__.setdefault("_runs_of_steps", _Runs())
    if runs.open:
        # A callback may run `evaluate` during `fit`.
        model.jax_state_sync()
    run = Run()
    runs.open.append(run)
    try:
        yield
    except BaseException as error:
        # Tells Keras that its state is out of date, then fills the gaps.
        model.jax_state_sync()
        if not run.give_back(model):
            error.add_note(
                f"The failed step has consumed the weights of {model.name!r}: load "
                "them again before you continue."
            )
        raise
    finally:
        runs.open.remove(run)


def _give_own_arrays(variables, others):
    """Copies the values that variables share with others, on JAX.

    If an optimizer averages weights, Keras makes weights and averages share the same
    arrays at the end of `fit`. The next step would consume them twice, which JAX
    refuses. Goes away with a Keras that copies them.
    """
    held = {id(variable.value) for variable in others}
    for variable in variables:
        if id(variable.value) in held:
            variable.assign(keras.ops.copy(variable.value))


class _Runs:
    """The running runs, one inside the other. Keras does not track this object."""

    def __init__(self):
        self.open = []


def _run_of(model) -> Run | None:
    runs = model.__dict__.get("_runs_of_steps")
    return runs.open[-1] if runs is not None and runs.open else None


def remember(model, state) -> None:
    """Stores the state after a step in the current run, on JAX.

    Args:
        model: Model with the mixin.
        state: The input of the next step.
    """
    run = _run_of(model)
    if run is not None:
        run.state, run.is_finished = state, True


def has_value(variable) -> bool:
    """Whether a variable has a readable value, on JAX."""
    try:
        value = variable.value
    except TypeError:
        # Keras's error for a value that is None.
        return False
    return value is not None and not value.is_deleted()


def remembering(model, function):
    """A step function of Keras that stores its state for `kept_steps`.

    Args:
        model: Model with the mixin.
        function: Step function from `make_train_function` or its siblings.
    """
    if function is None or getattr(function, "is_remembering", False):
        return function
    batches_per_call = model.steps_per_execution

    def on_jax(state, iterator):
        run = _run_of(model) or Run()
        run.state = state
        # Reads data before the first step, so an error here leaves the state intact.
        batches = _taken(iterator, batches_per_call)
        with interrupted_later():
            outputs, run.state = function(state, iter(batches))
            run.is_finished = True
        return outputs, run.state

    # Keras collects variables from hundreds of layers, so this caches the list. The
    # first step creates metrics, whose variables belong to it.
    state: list | None = None
    # A graph raises an error before it changes anything: see `train_step`.
    changes_in_place = not ON_JAX and (
        keras.config.backend() == "torch" or model.run_eagerly
    )

    def elsewhere(data):
        nonlocal state
        if not changes_in_place:
            with interrupted_later():
                return function(data)
        variables = model.non_trainable_variables if state is None else state
        with interrupted_later(), _kept_state(variables):
            outputs = function(data)
        if state is None:
            state = model.non_trainable_variables
        return outputs

    step: Any = on_jax if ON_JAX else elsewhere
    step.is_remembering = True
    return step


def _taken(iterator, count):
    batches = []
    while len(batches) < count:
        try:
            batches.append(next(iterator))
        except StopIteration:
            break
    return batches


@contextlib.contextmanager
def _kept_state(state):
    """Restores statistics and seeds after a step that fails."""
    before = [keras.ops.copy(variable) for variable in state]
    try:
        yield
    except BaseException:
        for variable, value in zip(state, before, strict=True):
            variable.assign(value)
        raise
