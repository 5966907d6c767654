"""Windows around any piece of code of this program."""

from __future__ import annotations

import functools
import os
import sys
import threading
import weakref
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar, Union

from ._errors import ErgometerError
from ._library import _core
from ._results import Channel, Energy, energies_table
from ._samples import column, unpacked

_F = TypeVar("_F", bound=Callable[..., Any])
_LAST_NS = 2**63 - 1


def _wait_for_gpu() -> None:
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is not None and cuda.is_initialized():
        cuda.synchronize()


class Window:
    """A window of a Monitor: a context manager, or a decorator of a function each call of which is one window."""

    def __init__(self, monitor: "Monitor", name: str, count: Optional[int] = None):
        self._monitor = monitor
        self._key: Optional[int] = None
        self.name = name
        #: How many items the window held; may be set before it ends.
        self.count = count
        #: What the window cost, once it has ended; None before, and when it was cancelled.
        self.result: Optional[Energy] = None

    def __enter__(self) -> "Window":
        self.result = None
        self._key = self._monitor.begin(self.name)
        return self

    def __exit__(self, *failure: Any) -> None:
        key, self._key = self._key, None
        if key is None:
            return
        if failure and failure[0] is not None:
            self._monitor.cancel(key)
        else:
            self.result = self._monitor.end(key, self.count)

    def cancel(self) -> None:
        """Forgets the open window. An exception that leaves the block does so too."""
        key, self._key = self._key, None
        if key is not None:
            self._monitor.cancel(key)

    def __call__(self, function: _F) -> _F:
        @functools.wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            with Window(self._monitor, self.name, self.count) as window:
                value = function(*args, **kwargs)
            self.result = window.result
            return value

        return measured  # type: ignore[return-value]


class Monitor:
    """Reads this machine's sensors on a thread of its own, and says what windows cost.

        with ergometer.Monitor() as monitor:
            with monitor.window("train", count=60_000) as window:
                train()
            print(window.result)

    Thread-safe. Windows may nest and overlap, also under one name. In a process made by ``os.fork()`` a monitor begins
    anew; windows that were open belong to the parent. Needs neither a GPU nor root: what cannot be read is absent, and
    ``ergometer.sensors()`` tells how to unlock it. When PyTorch uses CUDA, its work is waited for at both edges of a window,
    unless ``synchronize`` is False.

    period: seconds between readings, 0.001 and more. gpus: "all", "none", "0,1", UUIDs, or None for what
    CUDA_VISIBLE_DEVICES shows. Raises ErgometerError.
    """

    def __init__(self, period: float = 0.1, gpus: Optional[str] = None, synchronize: bool = True):
        self.period = period
        self.gpus = gpus
        self.synchronize = synchronize
        #: Windows that have ended, in order of their end.
        self.results: List[Energy] = []
        #: Keys of the windows that begin() opened, by name, in order.
        self._open: Dict[str, List[int]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._core: Optional[_core.Monitor] = None
        self._start()
        _living.add(self)

    def _start(self) -> _core.Monitor:
        self._core = _core.Monitor(self.period, self.gpus)
        # At the end of the object or of the program, whichever comes first: no thread outlives what it reads.
        self._stop = weakref.finalize(self, self._core.close)
        return self._core

    def _forked(self) -> None:
        """In the child, where there is one thread only: the parent's windows are not this process's."""
        self._lock = threading.Lock()
        self.results = []
        self._open = {}
        self._stop.detach()
        self._core = None

    def _ready(self) -> _core.Monitor:
        core = self._core
        if core is not None:
            return core
        with self._lock:
            if self._closed:
                raise ErgometerError("this monitor is closed", "make a new one", "invalid_argument")
            return self._core or self._start()

    def window(self, name: str, count: Optional[int] = None) -> Window:
        return Window(self, name, count)

    def begin(self, name: str) -> int:
        """Opens a window and returns its key."""
        core = self._ready()
        if self.synchronize:
            _wait_for_gpu()
        key = core.begin(name.encode("utf-8", "replace"))
        with self._lock:
            self._open.setdefault(name, []).append(key)
        return key

    def end(self, key: Union[int, str], count: Optional[int] = None) -> Energy:
        """Closes a window: by its key, or by its name, which means the one opened last of that name. Raises ErgometerError
        when it is not open in this process."""
        core = self._ready()
        if self.synchronize:
            _wait_for_gpu()
        ended = core.end(self._taken(key))
        ended["channels"] = [Channel(**channel) for channel in ended["channels"]]
        energy = Energy(count=count, **ended)
        with self._lock:
            self.results.append(energy)
        return energy

    def cancel(self, key: Union[int, str]) -> None:
        """Forgets an open window, given as to end()."""
        self._ready().cancel(self._taken(key))

    def _taken(self, key: Union[int, str]) -> int:
        """The key of an open window, which is no longer listed after."""
        with self._lock:
            if isinstance(key, str):
                if key not in self._open:
                    names = ", ".join(repr(name) for name in self._open) or "none"
                    raise ErgometerError(f"no window named {key!r} is open", f"open are: {names}", "not_found")
                name = key
                key = self._open[name][-1]
            else:
                name = next((name for name, keys in self._open.items() if key in keys), "")
            if name in self._open:
                self._open[name].remove(key)
                if not self._open[name]:
                    del self._open[name]
            return key

    def close(self) -> None:
        """Ends the thread. Open windows are forgotten. May be called twice."""
        with self._lock:
            self._closed = True
            self._core = None
        self._stop()

    @property
    def warnings(self) -> List[str]:
        """What went wrong so far: sensors that failed, windows without readings. Each once."""
        return self._ready().warnings()

    def frame(self) -> Any:
        """The ended windows as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame([energy.as_dict() for energy in self.results])

    def signals(self) -> Dict[str, str]:
        """What is read: name of the signal and its unit."""
        return dict(self._ready().signals())

    def samples(self, signal: Optional[str] = None, window: Optional[Energy] = None) -> List[Dict[str, Any]]:
        """Readings: signal, unit, time_ns (CLOCK_MONOTONIC), value. Of all signals, or of one; since the monitor's start,
        or within a window that has ended."""
        rows: List[Dict[str, Any]] = []
        for name, unit, times, values in self._read(signal, window):
            numbers = zip(unpacked(times, "q"), unpacked(values, "d"))
            rows += ({"signal": name, "unit": unit, "time_ns": time, "value": value} for time, value in numbers)
        return rows

    def samples_frame(self, signal: Optional[str] = None, window: Optional[Energy] = None) -> Any:
        """samples() as a pandas DataFrame."""
        import pandas

        read = self._read(signal, window)
        times = column([times for _, _, times, _ in read], "int64")
        values = column([values for _, _, _, values in read], "float64")
        names = [name for name, _, times, _ in read for _ in range(len(times) // 8)]
        units = [unit for _, unit, times, _ in read for _ in range(len(times) // 8)]
        return pandas.DataFrame({"signal": names, "unit": units, "time_ns": times, "value": values})

    def _read(self, wanted: Optional[str], window: Optional[Energy]) -> List[Tuple[str, str, bytes, bytes]]:
        core = self._ready()
        first, last = 0, _LAST_NS
        if window is not None and window.begin_ns is not None and window.end_ns is not None:
            first, last = window.begin_ns, window.end_ns
        signals = self.signals()
        if wanted is not None and wanted not in signals:
            raise ErgometerError(f"no signal is called {wanted!r}", f"there are: {', '.join(signals) or 'none'}", "not_found")
        return [(name, unit, *core.samples(name, first, last)) for name, unit in signals.items() if wanted in (None, name)]

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(self, *failure: Any) -> None:
        self.close()

    def _repr_html_(self) -> str:
        return energies_table(self.results)


_living: "weakref.WeakSet[Monitor]" = weakref.WeakSet()


def _after_fork() -> None:
    for monitor in list(_living):
        monitor._forked()


os.register_at_fork(after_in_child=_after_fork)
