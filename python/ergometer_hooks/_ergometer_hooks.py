"""What the hooks of all frameworks share: marks with explicit times, windows that close themselves, batch sizes.

Nothing here raises into the program, prints, or changes what the program computes.
"""

import importlib.util
import os
import threading
import time

_FOLDER = os.path.dirname(os.path.abspath(__file__))


def _load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mark = _load("_ergometer_mark", os.path.join(os.path.dirname(_FOLDER), "ergometer", "mark.py"))
_parts = {}
_lock = threading.RLock()
now = time.monotonic_ns


def patch(part, module):
    """Patches a module of a framework that has just been imported."""
    with _lock:
        if part not in _parts:
            _parts[part] = None
            loaded = _load("_ergometer_" + part, os.path.join(_FOLDER, "_ergometer_%s.py" % part))
            loaded.setup(hooks)
            _parts[part] = loaded
        if _parts[part] is not None:
            _parts[part].patch(module)


def send(verb, name, at, count=None, total=None):
    """One mark with a time of its own. A window may be sent in whole when it has ended."""
    text = b"ergo1 %s %s%s %d" % (verb, name.encode(), _rank(), at)
    if count is not None:
        text += b" count=%d" % count
    if total is not None and total > 0:
        text += b" total=%d" % total
    mark._sender.send(text)


def _rank():
    """What torchrun's processes add to the names of their windows: "/rank1"."""
    environ = os.environ
    rank, size = environ.get("RANK", ""), environ.get("WORLD_SIZE", "")
    return b"/rank" + rank.encode() if rank.isdigit() and size.isdigit() and int(size) > 1 else b""


class Before:
    """In a class, in place of a method: calls `act(object)` each time before the method, without a frame of its own on
    the stack, so that tracebacks are those of the program alone."""

    def __init__(self, function, act):
        self.function = function
        self.act = act
        self.__doc__ = getattr(function, "__doc__", None)
        self.__wrapped__ = function

    def __get__(self, obj, owner=None):
        if obj is not None:
            try:
                self.act(obj)
            except Exception:
                pass
        return self.function.__get__(obj, owner)

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)

    def __getattr__(self, name):
        if name == "function":
            raise AttributeError(name)
        return getattr(self.function, name)


def before(owner, name, act):
    """Lays `act` before a method that `owner` itself defines. Once."""
    function = owner.__dict__.get(name)
    if function is not None and not isinstance(function, Before):
        setattr(owner, name, Before(function, act))


class Window:
    """An open window. Ends once, and only in the process that began it. `total`: how many of its name there will be."""

    __slots__ = ("name", "pid", "open", "began")

    def __init__(self, name, at=None, total=None):
        self.name = name
        self.pid = os.getpid()
        self.open = True
        self.began = now() if at is None else at
        send(b"begin", name, self.began, None, total)

    def end(self, count=None, at=None):
        if self.open and self.pid == os.getpid():
            self.open = False
            send(b"end", self.name, now() if at is None else at, count)


class Steps:
    """Windows `step`: as many steps together as take _SHORTEST_NS (a sensor sees nothing shorter), count = steps. In a
    long training they become longer, so that their number grows with its logarithm only."""

    _SHORTEST_NS = 200_000_000
    _WINDOWS = 1000
    __slots__ = ("shortest", "left", "began", "count", "last")

    def __init__(self):
        self.shortest = self._SHORTEST_NS
        self.left = self._WINDOWS
        self.began = None
        self.count = 0
        self.last = 0

    def start(self, at):
        self.finish()
        self.began = at

    def step(self, steps=1):
        if self.began is None:
            self.began = now()
            return
        self.count += steps
        self.last = now()
        if self.last - self.began >= self.shortest:
            self._send()

    def finish(self):
        if self.began is not None and self.count:
            self._send()
        self.began = None
        self.count = 0

    def _send(self):
        send(b"begin", "step", self.began)
        send(b"end", "step", self.last, self.count)
        self.began = self.last
        self.count = 0
        self.left -= 1
        if self.left == 0:
            self.left = self._WINDOWS
            self.shortest *= 2


def batch_size(batch, depth=0):
    """Items in a batch: the first dimension of the first array in it. None when there is none."""
    shape = getattr(batch, "shape", None)
    if shape is not None:
        try:
            return int(shape[0])
        except (IndexError, TypeError, ValueError):
            return None
    if depth > 4 or batch is None or isinstance(batch, (str, bytes, int, float)):
        return None
    values = batch.values() if hasattr(batch, "values") else batch
    if not isinstance(values, (list, tuple)) and not hasattr(batch, "values"):
        return None
    values = list(values)
    for value in values:
        size = batch_size(value, depth + 1)
        if size is not None:
            return size
    plain = values and all(isinstance(value, (str, bytes, int, float)) for value in values)
    return len(values) if plain and isinstance(batch, (list, tuple)) else None


class _ThreadState(threading.local):
    def __init__(self):
        self.phases = []  # of Keras, outermost first
        self.total = None  # epochs of the training, as Lightning or Transformers says
        self.ahead = False  # the loop has read all batches before it has worked on the last one


local = _ThreadState()


def synchronize():
    """Waits for the GPU, so that the work before an edge is charged to what is before it."""
    import sys

    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is not None and cuda.is_initialized() and not cuda.is_current_stream_capturing():
        cuda.synchronize()


class _Hooks:
    """This module as an object, for the parts."""

    def __getattr__(self, name):
        return globals()[name]


hooks = _Hooks()
