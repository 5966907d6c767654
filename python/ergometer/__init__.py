"""Ergometer: what a program costs in energy, time and memory.

Parts are loaded when they are first used, so that ``import ergometer`` costs almost nothing.
"""

import importlib

_PARTS = ("mark",)


def __getattr__(name):
    if name in _PARTS:
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_PARTS])
