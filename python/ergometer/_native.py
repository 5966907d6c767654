"""The C interface of Ergometer (ergo/ergo.h) through ctypes, and where the library and the program are."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
import shutil
from pathlib import Path
from typing import Iterator, Optional

OK, NO_SUCH_WINDOW, INVALID, AFTER_FORK = range(4)
PROVENANCES = ("measured", "derived", "estimated", "simulated")


class ErgometerError(RuntimeError):
    """Something that Ergometer needs is missing or failed. The text says what to do."""


class CChannel(ctypes.Structure):
    _fields_ = [
        ("channel", ctypes.c_char * 32),
        ("source", ctypes.c_char * 64),
        ("provenance", ctypes.c_int),
        ("in_total", ctypes.c_int),
        ("joules", ctypes.c_double),
        ("low_j", ctypes.c_double),
        ("high_j", ctypes.c_double),
        ("mean_w", ctypes.c_double),
    ]


class CResult(ctypes.Structure):
    _fields_ = [
        ("duration_s", ctypes.c_double),
        ("has_measured", ctypes.c_int),
        ("measured_j", ctypes.c_double),
        ("low_j", ctypes.c_double),
        ("high_j", ctypes.c_double),
        ("has_estimated", ctypes.c_int),
        ("estimated_j", ctypes.c_double),
        ("channel_count", ctypes.c_size_t),
    ]


class CSignal(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 96), ("unit", ctypes.c_char * 16)]


class CSample(ctypes.Structure):
    _fields_ = [("time_ns", ctypes.c_int64), ("value", ctypes.c_double)]


def _prefixes() -> Iterator[Path]:
    """Folders that may hold bin/ and lib/: that of an installation this package is part of, then that of `ergo`."""
    here = Path(os.path.abspath(__file__)).parent
    if here.parent.parent.parts[-2:] == ("share", "ergo"):
        yield here.parent.parent.parent.parent
    program = os.environ.get("ERGO_PROGRAM") or shutil.which("ergo")
    if program:
        yield Path(os.path.realpath(program)).parent.parent


def _library_files() -> Iterator[str]:
    if os.environ.get("ERGO_LIBRARY"):
        yield os.environ["ERGO_LIBRARY"]
        return
    for prefix in _prefixes():
        for folder in ("lib", "lib64", *(f"lib/{machine}-linux-gnu" for machine in ("x86_64", "aarch64"))):
            for name in ("libergo_c.so.0", "libergo_c.so"):
                if (prefix / folder / name).exists():
                    yield str(prefix / folder / name)
    yield "libergo_c.so.0"


@functools.lru_cache(maxsize=None)
def library() -> ctypes.CDLL:
    """libergo_c, loaded once. Raises ErgometerError when there is none."""
    failures = []
    for path in _library_files():
        try:
            return _declared(ctypes.CDLL(path))
        except (OSError, AttributeError) as failure:
            failures.append(str(failure))
    raise ErgometerError(
        "libergo_c was not found: install Ergometer (cmake --install), or set ERGO_LIBRARY to the path of libergo_c.so. "
        "Tried: " + "; ".join(failures)
    )


def _declared(loaded: ctypes.CDLL) -> ctypes.CDLL:
    window, monitor, text = ctypes.c_uint64, ctypes.c_void_p, ctypes.c_char_p
    result = ctypes.POINTER(CResult)
    for name, returns, takes in (
        ("ergo_monitor_start", monitor, [ctypes.c_double, text, text, ctypes.c_size_t]),
        ("ergo_monitor_stop", None, [monitor]),
        ("ergo_begin", window, [monitor, text]),
        ("ergo_end_channels", ctypes.c_int, [monitor, window, result, ctypes.POINTER(CChannel), ctypes.c_size_t]),
        ("ergo_cancel", ctypes.c_int, [monitor, window]),
        ("ergo_signal_count", ctypes.c_size_t, [monitor]),
        ("ergo_signal_at", ctypes.c_int, [monitor, ctypes.c_size_t, ctypes.POINTER(CSignal)]),
        ("ergo_samples", ctypes.c_int, [monitor, ctypes.c_size_t, ctypes.c_int64, ctypes.c_int64, ctypes.POINTER(CSample),
                                        ctypes.c_size_t, ctypes.POINTER(ctypes.c_size_t)]),
        ("ergo_version", text, []),
    ):
        function = getattr(loaded, name)
        function.restype = returns
        function.argtypes = takes
    return loaded


def program(given: Optional[str] = None) -> str:
    """The path of `ergo`."""
    if given:
        return given
    for prefix in _prefixes():
        if os.access(prefix / "bin" / "ergo", os.X_OK):
            return str(prefix / "bin" / "ergo")
    raise ErgometerError("the program ergo was not found: install Ergometer, or set ERGO_PROGRAM to its path")
