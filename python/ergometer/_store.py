"""Reading a store (docs/user/store.md): one SQLite file with all runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

from ._library import _core
from ._samples import column, unpacked


class Store:
    """A store, opened for reading only.

        store = ergometer.Store("results.db")
        store.windows_frame()
        store.samples_frame(run=1)

    Methods return lists of dicts; those that end in _frame return pandas DataFrames. Columns are named as in the file. Raises
    ErgometerError.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]):
        self.path = Path(path)
        self._core = _core.Store(self.path)

    def close(self) -> None:
        self._core.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *failure: Any) -> None:
        self.close()

    def experiments(self) -> List[Dict[str, Any]]:
        return self._core.experiments()

    def runs(self) -> List[Dict[str, Any]]:
        """All runs with their parameters as columns `param.NAME`."""
        return self._core.runs()

    def windows(self, run: Optional[int] = None, scope: str = "window") -> List[Dict[str, Any]]:
        """Windows with the joules of each channel as columns `CHANNEL_j`. `run` is the run's id; None means all. `scope`:
        "window", "run" (each run as a whole), or "items" (what its counted windows held together)."""
        return self._core.windows(run, scope)

    def signals(self, run: int) -> List[str]:
        return self._core.signals(run)

    def samples(self, run: int, signal: Optional[str] = None) -> List[Dict[str, Any]]:
        """Readings: signal, time in seconds since the start of the run, value in the signal's unit, and half of the time that
        the reading took."""
        rows: List[Dict[str, Any]] = []
        for name, *packed in self._read(run, signal):
            numbers = zip(*(unpacked(data, "d") for data in packed))
            rows += ({"signal": name, "time_s": time, "value": value, "half_width_s": half} for time, value, half in numbers)
        return rows

    def _read(self, run: int, signal: Optional[str]) -> List[Tuple[str, bytes, bytes, bytes]]:
        names = self.signals(run) if signal is None else [signal]
        return [(name, *self._core.samples(run, name)) for name in names]

    def runs_frame(self) -> Any:
        return _frame(self.runs())

    def windows_frame(self, run: Optional[int] = None, scope: str = "window") -> Any:
        return _frame(self.windows(run, scope))

    def samples_frame(self, run: int, signal: Optional[str] = None) -> Any:
        import pandas

        read = self._read(run, signal)
        names = [name for name, times, _, _ in read for _ in range(len(times) // 8)]
        columns = {
            "time_s": column([times for _, times, _, _ in read], "float64"),
            "value": column([values for _, _, values, _ in read], "float64"),
            "half_width_s": column([halves for _, _, _, halves in read], "float64"),
        }
        return pandas.DataFrame({"signal": names, **columns})


def _frame(rows: List[Dict[str, Any]]) -> Any:
    import pandas

    return pandas.DataFrame(rows)
