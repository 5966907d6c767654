"""Keras: windows fit, epoch, validation, evaluate, predict, step.

All of Keras's loops, custom train_step or not, tell their CallbackList what they do. The watch is laid before its methods,
so no callback is added to the model and nothing is computed for one. Samples are counted as the loop takes its batches;
with TensorFlow, whose loops take them inside a graph, from what the data source says of itself.
"""

import collections
import os
import sys
import weakref

hooks = None


def setup(shared):
    global hooks
    hooks = shared


def patch(module):
    callback_list = module.__dict__.get("CallbackList")
    if callback_list is not None and isinstance(callback_list, type):
        _patch_callback_list(callback_list)
    for value in list(module.__dict__.values()):
        if isinstance(value, type) and value.__name__.endswith("EpochIterator"):
            _patch_iterator(value)
        if isinstance(value, type) and value.__name__ in ("GeneratorDataAdapter", "PyDatasetAdapter"):
            hooks.before(value, "get_tf_dataset", _note_runs)
        if isinstance(value, type) and value.__name__ == "DataHandler":
            hooks.before(value, "enumerate_epochs", _note_source)


class _Phase:
    """An open window of a loop, and what it has held so far."""

    __slots__ = ("window", "count", "batches", "ticks", "source", "known", "stack", "parent")

    def __init__(self, name, total=None):
        self.window = hooks.Window(name, None, total)
        self.count = 0
        self.batches = 0
        self.ticks = 0
        self.source = None
        self.known = True
        self.stack = hooks.local.phases
        self.parent = self.stack[-1] if self.stack else None
        self.stack.append(self)

    def end(self):
        if not self.window.open:
            return
        count = None
        try:
            if self.window.name != "fit":
                hooks.synchronize()
                count = self.samples()
        except Exception:
            count = None
        self.window.end(count)
        if self in self.stack:
            del self.stack[self.stack.index(self) :]

    def samples(self):
        if self.batches:
            return self.count if self.known else None
        return _samples_in_graph(self)


class _Loop:
    """What one CallbackList has told. Its windows end with it, whatever happens to the loop."""

    def __init__(self):
        self.open = []
        self.steps = hooks.Steps()
        self.pid = os.getpid()
        self.total = None  # epochs

    def begin(self, name, total=None):
        self.open.append(_Phase(name, total))

    def end(self, *names):
        """Ends the innermost window of these names, and all that is still open in it."""
        for i in range(len(self.open) - 1, -1, -1):
            if self.open[i].window.name in names:
                for phase in reversed(self.open[i:]):
                    phase.end()
                del self.open[i:]
                return

    def has(self, name):
        return any(phase.window.name == name for phase in self.open)

    def close(self):
        if self.pid == os.getpid():
            self.steps.finish()
            for phase in reversed(self.open):
                phase.end()
            self.open = []


# By id: the objects themselves stay as they are, so that they can be copied and pickled.
_loops = {}


def _forget(key, loop):
    if _loops.get(key) is loop:
        del _loops[key]
    loop.close()


def _loop(callbacks):
    loop = _loops.get(id(callbacks))
    if loop is None or loop.pid != os.getpid():
        loop = _Loop()
        _loops[id(callbacks)] = loop
        weakref.finalize(callbacks, _forget, id(callbacks), loop)
    return loop


def _train_begin(callbacks):
    loop = _loop(callbacks)
    loop.close()
    loop.total = None
    loop.begin("fit")


def _epoch_begin(callbacks):
    loop = _loop(callbacks)
    if not loop.has("fit"):
        return
    loop.end("epoch")
    hooks.synchronize()
    if loop.total is None:
        loop.total = _epochs(callbacks, sys._getframe(2))
    loop.begin("epoch", loop.total)
    loop.steps.start(loop.open[-1].window.began)


def _epochs(callbacks, caller):
    """How many epochs the training has been told to take; 0 when that is not known. Keras tells its callbacks the number
    of the last one, and where it begins only `fit` itself knows."""
    try:
        last = (getattr(callbacks, "params", None) or {}).get("epochs")
        names = caller.f_locals
        return int(names.get("epochs", last)) - int(names.get("initial_epoch") or 0)
    except Exception:
        return 0


def _train_batch_end(callbacks):
    loop = _loops.get(id(callbacks))
    if loop is not None and loop.open and loop.open[-1].window.name == "epoch":
        phase = loop.open[-1]
        phase.ticks += 1
        source = phase.source
        steps = getattr(source, "steps_per_execution", 1) if source is not None else 1
        loop.steps.step(steps if isinstance(steps, int) else 1)


def _epoch_end(callbacks):
    loop = _loop(callbacks)
    loop.steps.finish()
    loop.end("epoch")


def _train_end(callbacks):
    loop = _loop(callbacks)
    loop.steps.finish()
    loop.end("fit")


def _test_begin(callbacks):
    loop = _loop(callbacks)
    if loop.has("fit"):
        loop.steps.finish()
        loop.end("epoch")
        loop.begin("validation")
    else:
        loop.begin("evaluate")


def _count_tick(callbacks):
    loop = _loops.get(id(callbacks))
    if loop is not None and loop.open:
        loop.open[-1].ticks += 1


def _test_end(callbacks):
    _loop(callbacks).end("validation", "evaluate")


def _predict_begin(callbacks):
    _loop(callbacks).begin("predict")


def _predict_end(callbacks):
    _loop(callbacks).end("predict")


def _patch_callback_list(owner):
    for name, act in (
        ("on_train_begin", _train_begin),
        ("on_train_end", _train_end),
        ("on_epoch_begin", _epoch_begin),
        ("on_epoch_end", _epoch_end),
        ("on_train_batch_end", _train_batch_end),
        ("on_test_begin", _test_begin),
        ("on_test_batch_end", _count_tick),
        ("on_test_end", _test_end),
        ("on_predict_begin", _predict_begin),
        ("on_predict_batch_end", _count_tick),
        ("on_predict_end", _predict_end),
    ):
        hooks.before(owner, name, act)


def _count(batch):
    try:
        phases = hooks.local.phases
        if phases:
            size = hooks.batch_size(batch)
            phase = phases[-1]
            phase.batches += 1
            if size is None:
                phase.known = False
            else:
                phase.count += size
    except Exception:
        pass
    return batch


def _patch_iterator(owner):
    hooks.before(owner, "__iter__", _note_source)
    give = owner.__dict__.get("_get_iterator")
    if give is None or owner.__name__ == "TFEpochIterator" or hasattr(give, "_ergometer"):
        return

    def _get_iterator(self):
        # map() is written in C: it leaves no trace in a traceback from the program's own generator.
        return map(_count, give(self))

    _get_iterator._ergometer = True
    owner._get_iterator = _get_iterator


def _note_source(iterator):
    phases = hooks.local.phases
    if phases:
        phases[-1].source = iterator


def _note_runs(adapter):
    """TensorFlow takes a Python source through a callable: what that gives is noted, one list for each run of it."""
    attribute = "generator" if type(adapter).__name__ == "GeneratorDataAdapter" else "_get_iterator"
    give = getattr(adapter, attribute)
    if "_ergometer_runs" in adapter.__dict__:
        return
    runs = adapter.__dict__["_ergometer_runs"] = collections.deque(maxlen=4)

    def noted():
        sizes = collections.deque()
        runs.append(sizes)

        def note(batch):
            sizes.append(hooks.batch_size(batch))
            return batch

        return map(note, give())

    setattr(adapter, attribute, noted)


def _samples_in_graph(phase):
    """Samples of a loop whose batches were not seen, as far as the source tells the sizes of its batches."""
    source = phase.source
    if source is None and phase.parent is not None:
        source = phase.parent.source
    if hasattr(source, "_inferred_steps"):
        return _of_keras_2(source, phase.ticks)
    adapter = getattr(source, "data_adapter", None)
    if adapter is None or not phase.ticks:
        return None
    kind = type(adapter).__name__
    done = phase.ticks * source.steps_per_execution
    if kind == "ArrayDataAdapter":
        batches = adapter.num_batches
        size = adapter.batch_size
        return _part_of(source, done, batches, size, adapter.partial_batch_size or size)
    if kind == "TFDatasetAdapter":
        return _of_dataset(source, adapter, done)
    runs = adapter.__dict__.get("_ergometer_runs")
    if not runs:
        return None
    if adapter.num_batches is None:
        # One run goes on over all epochs; TensorFlow reads ahead of the loop.
        if source.steps_per_epoch:
            done = min(done, source.steps_per_epoch)
        sizes = [runs[-1].popleft() for _ in range(min(done, len(runs[-1])))]
    else:
        # Each run is the whole data set. One that was begun too early is not finished.
        whole = [run for run in runs if len(run) == adapter.num_batches]
        sizes = whole[-1] if whole and done >= adapter.num_batches else []
    return sum(sizes) if sizes and None not in sizes else None


def _of_keras_2(handler, done):
    """A whole epoch of arrays; Keras 2 has one source for all epochs of a training."""
    adapter = handler._adapter
    batches, size = adapter.get_size(), adapter.batch_size()
    steps = handler._inferred_steps
    if type(adapter).__name__ != "TensorLikeDataAdapter" or not size or steps != batches or done < 1:
        return None
    if done * int(handler._steps_per_execution.numpy()) < batches:
        return None
    return batches * size - (size - (adapter.partial_batch_size() or size))


def _part_of(source, done, batches, size, last):
    """Samples in the next `done` of `batches` batches of `size`, the last of which holds `last`."""
    per_epoch = source.steps_per_epoch or batches
    done = min(done, per_epoch)
    # With steps_per_epoch the next epoch goes on where this one stopped.
    place = source.__dict__.get("_ergometer_place", 0) if source.steps_per_epoch else 0
    source.__dict__["_ergometer_place"] = (place + done) % batches
    short = (place + done) // batches - place // batches
    return done * size - short * (size - last)


def _of_dataset(source, adapter, done):
    """A tf.data pipeline that ends in a batch of samples that can be counted."""
    if isinstance(adapter.batch_size, int) and not adapter.num_batches:
        return min(done, source.steps_per_epoch or done) * adapter.batch_size
    dataset = adapter._dataset
    while not hasattr(dataset, "_batch_size"):
        # Only what hands its batches on whole.
        if type(dataset).__name__.strip("_") not in ("PrefetchDataset", "OptionsDataset", "CacheDataset", "ShuffleDataset"):
            return None
        dataset = dataset._input_dataset
    size = int(dataset._batch_size)
    samples = int(dataset._input_dataset.cardinality())
    batches = adapter.num_batches
    if not batches or samples < 0:
        return None
    return _part_of(source, done, batches, size, min(samples - (batches - 1) * size, size))
