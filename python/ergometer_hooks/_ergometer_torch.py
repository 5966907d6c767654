"""PyTorch: windows epoch, validation and step from the iterations of DataLoaders.

An iteration during which an optimizer steps is an `epoch`; one without, with gradients off or the model in eval mode, is a
`validation`; any other has no window (a look at one batch, statistics of the data). Which it is shows only in the course of
it, so begin and end are sent with the times at which they were. Keras, Lightning and Transformers, when they run the loop,
are left to tell where epochs end.
"""

import atexit
import os
import sys
import threading
import weakref

hooks = None
_lock = threading.RLock()


def setup(shared):
    global hooks
    hooks = shared


def patch(module):
    if module.__name__ == "torch.utils.data.dataloader":
        base = module._BaseDataLoaderIter
        hooks.before(module.DataLoader, "__iter__", _iter_called)
        hooks.before(base, "__next__", _next_called)
        base._num_yielded = _Yielded()
    elif module.__name__ == "torch.optim.optimizer":
        optimizer = module.Optimizer
        # PyTorch's own place for hooks, called after each step().
        if "_optimizer_step_code" in optimizer.__dict__:
            optimizer._optimizer_step_code = _stepped
    elif module.__name__ == "torch.nn.modules.module":
        hooks.before(module.Module, "eval", _eval_called)


class _Tracker(threading.local):
    """The iterations of this thread that are going on, outermost first."""

    def __init__(self):
        self.pending = None  # (loader, time) of an iterator that is being made
        self.iterations = []
        self.evaluating = False
        self.steps = None
        self.pid = os.getpid()


_tracker = _Tracker()


def _on():
    """False in workers, and while Keras marks its own loops."""
    if hooks.local.phases:
        return False
    worker = sys.modules.get("torch.utils.data._utils.worker")
    if worker is not None and getattr(worker, "_worker_info", None) is not None:
        return False
    if _tracker.pid != os.getpid():
        _tracker.__init__()
    return True


class _Iteration:
    __slots__ = ("began", "pid", "length", "yielded", "count", "trained", "no_grad", "window", "over", "loader", "owner")

    def __init__(self, loader, began):
        self.began = began
        self.pid = os.getpid()
        self.loader = id(loader)
        self.length = _length(loader)
        self.yielded = 0
        self.count = 0
        self.trained = False
        self.no_grad = not sys.modules["torch"].is_grad_enabled()
        self.window = None
        self.over = False
        self.owner = _tracker

    def exhausted(self):
        return self.length is not None and self.yielded >= self.length

    def stepped(self):
        if not self.trained:
            self.trained = True
            self.window = hooks.Window("epoch", self.began, hooks.local.total)

    def end(self):
        if self.over or self.pid != os.getpid():
            return
        self.over = True
        with _lock:
            if self in _tracker.iterations:
                _tracker.iterations.remove(self)
        count = self.count if self.count is not None and self.count > 0 else None
        try:
            if self.trained:
                if _tracker.steps is not None:
                    _tracker.steps.finish()
                hooks.synchronize()
                self.window.end(count)
            elif self.yielded and (self.no_grad or _tracker.evaluating):
                hooks.synchronize()
                hooks.send(b"begin", "validation", self.began)
                hooks.send(b"end", "validation", hooks.now(), count)
        except Exception:
            pass


def _length(loader):
    """Batches of one iteration, for data sets with a length. A stream is not asked: its answer would have effects."""
    try:
        kind = getattr(loader, "_dataset_kind", None)
        return len(loader._index_sampler) if kind == 0 else None
    except Exception:
        return None


def _iter_called(loader):
    if not _on():
        return
    for iteration in list(_tracker.iterations):
        if iteration.exhausted() or iteration.loader == id(loader):
            iteration.end()
    hooks.synchronize()
    _tracker.pending = (loader, hooks.now())


def _next_called(iterator):
    iteration = iterator.__dict__.get("_ergometer")
    if iteration is None or iteration.over:
        if not _on() or iterator.__dict__.get("_ergometer_yielded", 0):
            return
        pending, _tracker.pending = _tracker.pending, None
        if pending is None or pending[0].dataset is not iterator._dataset:
            return
        iteration = _Iteration(*pending)
        iterator.__dict__["_ergometer"] = iteration
        # An epoch lies in no other: the loaders that are read side by side within it are part of it.
        _tracker.iterations.append(iteration)
        weakref.finalize(iterator, iteration.end)
        return
    if not iteration.no_grad and not iteration.trained:
        iteration.no_grad = not sys.modules["torch"].is_grad_enabled()
    if iteration.exhausted() and not hooks.local.ahead:
        iteration.end()


class _Yielded:
    """`_num_yielded` of an iterator: PyTorch counts the batches that it hands out in it."""

    def __get__(self, iterator, owner=None):
        if iterator is None:
            return self
        try:
            return iterator.__dict__["_ergometer_yielded"]
        except KeyError:
            raise AttributeError("_num_yielded") from None

    def __set__(self, iterator, value):
        iterator.__dict__["_ergometer_yielded"] = value
        try:
            iteration = iterator.__dict__.get("_ergometer")
            if iteration is None or iteration.over or not value:
                return
            iteration.yielded += 1
            frame = sys._getframe(1)
            if iteration.count is not None and frame.f_code.co_name == "__next__":
                size = hooks.batch_size(frame.f_locals.get("data"))
                iteration.count = None if size is None else iteration.count + size
        except Exception:
            pass


def _stepped(optimizer):
    try:
        if not _on():
            return
        tracker = _tracker
        tracker.evaluating = False
        if tracker.steps is None:
            tracker.steps = hooks.Steps()
            atexit.register(_finish, tracker.steps, os.getpid())
        live = [iteration for iteration in tracker.iterations if not iteration.no_grad]
        if live and not live[0].trained:
            live[0].stepped()
            tracker.steps.start(live[0].began)
        tracker.steps.step()
    except Exception:
        pass


def _finish(steps, pid):
    """At exit, for loops without a DataLoader."""
    if pid == os.getpid():
        steps.finish()


def _eval_called(module):
    _tracker.evaluating = True


def end_epoch():
    """For those who know better than the iteration when the epoch is over."""
    for iteration in list(_tracker.iterations):
        if iteration.trained:
            iteration.end()


def end_exhausted():
    """Ends the iterations that have handed out all they have."""
    for iteration in list(_tracker.iterations):
        if iteration.exhausted():
            iteration.end()
