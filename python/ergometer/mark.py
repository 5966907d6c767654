"""Marks: name the phases of a program, so that ``ergo run`` tells what each of them costs.

    from ergometer import mark

    for epoch in range(epochs):
        with mark.window("epoch", count=len(dataset)):
            train()

Outside ``ergo run``, or when nobody listens, nothing happens and nothing is raised. A mark never blocks the program:
when the socket is full, marks are kept in memory and sent with the next ones or at exit, and what is lost beyond that is
reported as a number. Safe to use from several threads and after ``os.fork()``.

Windows of one name nest like brackets within a process; different names may overlap. ``count`` says how many items
(samples, steps, inferences) a window held; energy per item is then reported too. ``total`` says how many windows of a name
there will be: ``ergo run`` then predicts what all of them will have cost. Blanks in names become ``_``.

Only the standard library is needed; the file works on its own too.
"""

import atexit
import collections
import errno
import functools
import os
import select
import socket
import threading
import time

__all__ = ["begin", "end", "event", "window"]

_NAME_BYTES = 255
_KEPT_MARKS = 50_000
_EXIT_SECONDS = 2.0
_STALL_SECONDS = 0.1


class _Sender:
    """The connection of one process. Its methods raise nothing."""

    def __init__(self):
        self._lock = threading.Lock()
        self._socket = None
        self._identity = None
        self._kept = collections.deque()
        self._lost = 0
        self._path = os.environ.get("ERGO_MARKS", "")
        self.on = bool(self._path) and hasattr(socket, "AF_UNIX")

    def send(self, text):
        # A signal handler may interrupt the holder of the lock: then the mark waits no longer than that.
        if not self._lock.acquire(timeout=0.05):
            self._lost += 1
            return
        try:
            if self._ready() and not (self._flush() and self._try_send(text)):
                self._keep(text)
        finally:
            self._lock.release()

    def flush_at_exit(self):
        """Waits while marks are being taken in, at most _EXIT_SECONDS; _STALL_SECONDS when they are not."""
        if not self.on or not self._lock.acquire(timeout=_STALL_SECONDS):
            return
        try:
            if self._drain(_EXIT_SECONDS) and self._kept:
                # Too many for the time there is: say at least how many.
                self._lost += len(self._kept)
                self._kept.clear()
                self._drain(_STALL_SECONDS)
        except (OSError, ValueError):
            pass
        finally:
            self._lock.release()

    def _drain(self, seconds):
        """False when nobody takes in anything."""
        last = time.monotonic() + seconds
        patience = time.monotonic() + _STALL_SECONDS
        while self._kept or self._lost:
            before = len(self._kept)
            if not self._ready() or self._flush():
                break
            now = time.monotonic()
            if now > last:
                break
            if len(self._kept) != before:
                patience = now + _STALL_SECONDS
            if now > patience:
                return False
            poll = select.poll()
            poll.register(self._socket, select.POLLOUT)
            poll.poll(10)
        return True

    def forget(self):
        """The parent keeps its connection and its marks; a forked child begins anew."""
        old, self._socket = self._socket, None
        if old is not None and not self._owns(old):
            old.detach()  # the number belongs to something else now
        self.__init__()

    def _owns(self, connection):
        """False when the program closed all descriptors, and ours with them: the number may be another file's now."""
        try:
            info = os.fstat(connection.fileno())
        except (OSError, ValueError):
            return False
        return (info.st_dev, info.st_ino) == self._identity

    def _ready(self):
        if not self.on:
            return False
        if self._socket is not None:
            if self._owns(self._socket):
                return True
            self._socket.detach()
            self._socket = None
        try:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            connection.setblocking(False)
            connection.connect(self._path)
            info = os.fstat(connection.fileno())
        except (OSError, ValueError):
            self.on = False
            return False
        self._identity = (info.st_dev, info.st_ino)
        self._socket = connection
        return True

    def _try_send(self, text):
        """False when there is no room now."""
        try:
            self._socket.send(text)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as failure:
            if failure.errno == errno.ENOBUFS:
                return False
            self.on = False
            self._socket.close()
            self._socket = None
        return True

    def _flush(self):
        while self._kept:
            if not self._try_send(self._kept[0]):
                return False
            self._kept.popleft()
            if not self.on:
                self._kept.clear()
        if self._lost and self.on:
            report = b"ergo1 event ergo.lost=%d %d" % (self._lost, time.monotonic_ns())
            if not self._try_send(report):
                return False
            self._lost = 0
        return True

    def _keep(self, text):
        if len(self._kept) < _KEPT_MARKS:
            self._kept.append(text)
        else:
            self._lost += 1


_sender = _Sender()
atexit.register(lambda: _sender.flush_at_exit())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _sender.forget())


@functools.lru_cache(maxsize=1024)
def _encoded(name):
    clean = "".join("_" if c <= " " or c == "\x7f" else c for c in name) or "_"
    return clean.encode("utf-8", "replace")[:_NAME_BYTES].decode("utf-8", "ignore").encode()


def _send(verb, name, count, total=None):
    if not _sender.on:
        return
    now = time.monotonic_ns()
    try:
        text = b"ergo1 %s %s %d" % (verb, _encoded(str(name)), now)
        if count is not None and count >= 0:
            text += b" count=%d" % int(count)
        if total is not None and total > 0:
            text += b" total=%d" % int(total)
        _sender.send(text)
    except Exception:  # a measurement must not break the program that it measures
        pass


def begin(name, count=None, total=None):
    """Begins a window. `total`: how many windows of this name there will be in all (epochs); `ergo run` then predicts
    what they will have cost together."""
    _send(b"begin", name, count, total)


def end(name, count=None):
    """Ends the window of this name that was begun last."""
    _send(b"end", name, count)


def event(name):
    """Something happened now."""
    _send(b"event", name, None)


class window:
    """A window as a context manager or a decorator.

        with mark.window("validate") as w:
            w.count = validate()      # how many items, when it is known only afterwards

        @mark.window("predict", count=32)
        def predict(batch): ...
    """

    def __init__(self, name, count=None, total=None):
        self.name = name
        self.count = count
        self.total = total

    def __enter__(self):
        begin(self.name, total=self.total)
        return self

    def __exit__(self, *failure):
        end(self.name, self.count)
        return False

    def __call__(self, function):
        @functools.wraps(function)
        def marked(*args, **kwargs):
            with window(self.name, self.count, self.total):
                return function(*args, **kwargs)

        return marked
