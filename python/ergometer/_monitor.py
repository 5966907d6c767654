"""Windows around any piece of code of this program."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import threading
import time
import weakref
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar

from . import _native
from ._native import ErgometerError
from ._results import Channel, Energy, energies_table

_F = TypeVar("_F", bound=Callable[..., Any])
_CHANNELS = 128


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
    ``ergo sensors`` tells how to unlock it. When PyTorch uses CUDA, its work is waited for at both edges of a window,
    unless ``synchronize`` is False.

    period: seconds between readings, 0.001 and more. gpus: "all", "none", "0,1", UUIDs, or None for what
    CUDA_VISIBLE_DEVICES shows. Raises ErgometerError when libergo_c is missing.
    """

    def __init__(self, period: float = 0.1, gpus: Optional[str] = None, synchronize: bool = True):
        self.period = period
        self.gpus = gpus
        self.synchronize = synchronize
        #: Windows that have ended, in order of their end.
        self.results: List[Energy] = []
        self._lock = threading.Lock()
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._native = _native.library()
        self._open: Dict[int, Tuple[str, int]] = {}  # name and begin of each open window
        self._pid = os.getpid()
        reason = ctypes.create_string_buffer(1024)
        gpus = self.gpus.encode() if self.gpus else None
        self._handle = self._native.ergo_monitor_start(self.period, gpus, reason, len(reason))
        if not self._handle:
            raise ErgometerError(reason.value.decode("utf-8", "replace"))
        # At the end of the object or of the program, whichever comes first: no thread outlives what it reads.
        self._stop = weakref.finalize(self, _stop, self._native, self._handle, self._pid)

    def _ready(self) -> Any:
        if self._closed:
            raise ErgometerError("this monitor is closed")
        if self._pid != os.getpid():
            self._lock = threading.Lock()
            self.results = []
            self._start()
        return self._handle

    def window(self, name: str, count: Optional[int] = None) -> Window:
        return Window(self, name, count)

    def begin(self, name: str) -> int:
        """Opens a window and returns its key."""
        handle = self._ready()
        if self.synchronize:
            _wait_for_gpu()
        key = int(self._native.ergo_begin(handle, name.encode("utf-8", "replace")))
        if key == 0:
            raise ErgometerError(f"the window {name!r} could not be opened")
        with self._lock:
            self._open[key] = (name, time.monotonic_ns())
        return key

    def end(self, key: int, count: Optional[int] = None) -> Energy:
        """Closes a window. Raises ErgometerError when it is not open."""
        handle = self._ready()
        name, begin_ns = self._opened(key)
        if self.synchronize:
            _wait_for_gpu()
        end_ns = time.monotonic_ns()
        result = _native.CResult()
        channels = (_native.CChannel * _CHANNELS)()
        status = self._native.ergo_end_channels(handle, key, ctypes.byref(result), channels, _CHANNELS)
        self._check(status, key)
        energy = _energy(name, count, result, channels, begin_ns, end_ns)
        with self._lock:
            self._open.pop(key, None)
            self.results.append(energy)
        return energy

    def cancel(self, key: int) -> None:
        """Forgets an open window."""
        handle = self._ready()
        self._check(self._native.ergo_cancel(handle, key), key)
        with self._lock:
            self._open.pop(key, None)

    def close(self) -> None:
        """Ends the thread. Open windows are forgotten. May be called twice."""
        self._closed = True
        self._stop()

    def frame(self) -> Any:
        """The ended windows as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame([energy.as_dict() for energy in self.results])

    def signals(self) -> Dict[str, str]:
        """What is read: name of the signal and its unit."""
        handle = self._ready()
        found: Dict[str, str] = {}
        signal = _native.CSignal()
        for index in range(self._native.ergo_signal_count(handle)):
            if self._native.ergo_signal_at(handle, index, ctypes.byref(signal)) == _native.OK:
                found[signal.name.decode()] = signal.unit.decode()
        return found

    def samples(self, signal: Optional[str] = None, window: Optional[Energy] = None) -> List[Dict[str, Any]]:
        """Readings: signal, unit, time_ns (CLOCK_MONOTONIC), value. Of all signals, or of one; since the monitor's start,
        or within a window that has ended."""
        rows: List[Dict[str, Any]] = []
        first, last = 0, 2**63 - 1
        if window is not None and window.begin_ns is not None and window.end_ns is not None:
            first, last = window.begin_ns, window.end_ns
        signals = self.signals()
        if signal is not None and signal not in signals:
            raise ErgometerError(f"no signal is called {signal!r}; there are: {', '.join(signals) or 'none'}")
        for index, (name, unit) in enumerate(signals.items()):
            if signal in (None, name):
                read = self._read(index, first, last)
                rows += ({"signal": name, "unit": unit, "time_ns": s.time_ns, "value": s.value} for s in read)
        return rows

    def _read(self, index: int, first: int, last: int) -> List[_native.CSample]:
        count = ctypes.c_size_t()
        capacity = 1024
        while True:
            buffer = (_native.CSample * capacity)()
            status = self._native.ergo_samples(self._handle, index, first, last, buffer, capacity, ctypes.byref(count))
            if status != _native.OK:
                return []
            if count.value <= capacity:
                return list(buffer[: count.value])
            capacity = count.value + 1024

    def samples_frame(self, signal: Optional[str] = None, window: Optional[Energy] = None) -> Any:
        """samples() as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame(self.samples(signal, window), columns=["signal", "unit", "time_ns", "value"])

    def _opened(self, key: int) -> Tuple[str, int]:
        with self._lock:
            found = self._open.get(key)
        if found is None:
            raise ErgometerError(f"no window with key {key} is open in this process")
        return found

    @staticmethod
    def _check(status: int, key: int) -> None:
        if status == _native.NO_SUCH_WINDOW:
            raise ErgometerError(f"no window with key {key} is open")
        if status != _native.OK:
            raise ErgometerError(f"the window with key {key} failed (status {status})")

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(self, *failure: Any) -> None:
        self.close()

    def _repr_html_(self) -> str:
        return energies_table(self.results)


def _stop(native: Any, handle: int, pid: int) -> None:
    """In the process that started it: a forked child has no such thread."""
    if pid == os.getpid():
        native.ergo_monitor_stop(handle)


def _energy(name: str, count: Optional[int], result: Any, channels: Any, begin_ns: int, end_ns: int) -> Energy:
    found = [
        Channel(
            c.channel.decode(),
            c.source.decode(),
            _native.PROVENANCES[c.provenance],
            bool(c.in_total),
            c.joules,
            c.low_j,
            c.high_j,
            c.mean_w,
        )
        for c in channels[: min(result.channel_count, _CHANNELS)]
    ]
    measured = bool(result.has_measured)
    return Energy(
        name,
        result.duration_s,
        count,
        result.measured_j if measured else None,
        result.low_j if measured else None,
        result.high_j if measured else None,
        result.estimated_j if result.has_estimated else None,
        found,
        begin_ns,
        end_ns,
    )
