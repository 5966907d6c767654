"""Ergometer: what a program costs in energy, time and memory.

    import ergometer

    with ergometer.Monitor() as monitor:
        with monitor.window("epoch", count=60_000) as window:
            train()
        print(window.result)

    print(ergometer.measure(lambda: model(batch), repeat=10))
    report = ergometer.run(["python", "train.py"], repeat=3)
    frame = ergometer.Store("results.db").windows_frame()
    print(ergometer.advise("sweep.csv", max_slowdown=0.05))

Parts are loaded when they are first used, so that ``import ergometer`` costs almost nothing.
"""

import importlib

__version__ = "0.1.0"

_MODULES = ("mark", "aipowermeter", "keras", "lightning")
_NAMES = {
    "Channel": "_results",
    "Energy": "_results",
    "Monitor": "_monitor",
    "Window": "_monitor",
    "Measurement": "_measure",
    "measure": "_measure",
    "Report": "_run",
    "run": "_run",
    "Sensors": "_sensors",
    "sensors": "_sensors",
    "Store": "_store",
    "Table": "_results",
    "advise": "_model",
    "predict": "_model",
    "ErgometerError": "_errors",
}
__all__ = ["mark", *_NAMES]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module("." + name, __name__)
    if name in _NAMES:
        value = getattr(importlib.import_module("." + _NAMES[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES, *_NAMES})
