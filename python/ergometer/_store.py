"""Reading a store (docs/user/store.md): one SQLite file with all runs."""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from ._native import ErgometerError

_APPLICATION = 0x4552474F
_SAMPLE = struct.Struct("<qdf")


class Store:
    """A store, opened for reading only.

        store = ergometer.Store("results.db")
        store.windows_frame()
        store.samples_frame(run=1)

    Methods return lists of dicts; those that end in _frame return pandas DataFrames.
    """

    def __init__(self, path: Union[str, Path]):
        self.path = Path(path)
        if not self.path.exists():
            raise ErgometerError(f"{self.path}: there is no such store")
        try:
            self._db = sqlite3.connect(f"file:{self.path.absolute()}?mode=ro", uri=True, check_same_thread=False)
            (application,) = self._db.execute("PRAGMA application_id").fetchone()
        except sqlite3.Error as failure:
            raise ErgometerError(f"{self.path}: {failure}") from failure
        if application != _APPLICATION:
            self._db.close()
            raise ErgometerError(f"{self.path} is no store of Ergometer")
        self._db.row_factory = sqlite3.Row

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *failure: Any) -> None:
        self.close()

    def _rows(self, query: str, values: Any = ()) -> List[Dict[str, Any]]:
        return [dict(row) for row in self._db.execute(query, values)]

    def experiments(self) -> List[Dict[str, Any]]:
        return self._rows("SELECT * FROM experiments ORDER BY id")

    def runs(self) -> List[Dict[str, Any]]:
        """All runs with their parameters as columns `param.NAME`."""
        runs = self._rows("SELECT * FROM runs ORDER BY id")
        parameters: Dict[int, Dict[str, str]] = {}
        for run, name, value in self._db.execute("SELECT run, name, value FROM parameters"):
            parameters.setdefault(run, {})["param." + name] = value
        return [{**run, **parameters.get(run["id"], {})} for run in runs]

    def windows(self, run: Optional[int] = None, scope: str = "window") -> List[Dict[str, Any]]:
        """Windows with the joules of each channel as columns `CHANNEL_j`. `run` is runs.id; None means all."""
        query = "SELECT * FROM windows WHERE scope = ?"
        values: List[Any] = [scope]
        if run is not None:
            query += " AND run = ?"
            values.append(run)
        windows = self._rows(query + " ORDER BY run, start_s, id", values)
        energies: Dict[int, Dict[str, float]] = {}
        for window, channel, joules in self._db.execute("SELECT window, channel, joules FROM energies"):
            energies.setdefault(window, {})[channel + "_j"] = joules
        return [{**window, **energies.get(window["id"], {})} for window in windows]

    def signals(self, run: int) -> List[str]:
        return [row["name"] for row in self._rows("SELECT name FROM signals WHERE run = ? ORDER BY id", [run])]

    def samples(self, run: int, signal: Optional[str] = None) -> List[Dict[str, Any]]:
        """Readings: signal, time in seconds since the start of the run, value in the signal's unit."""
        found = self._db.execute("SELECT begin_ns FROM runs WHERE id = ?", [run]).fetchone()
        if found is None:
            raise ErgometerError(f"{self.path} has no run with id {run}")
        query = "SELECT name, data FROM samples JOIN signals ON signals.id = samples.signal WHERE run = ?"
        values: List[Any] = [run]
        if signal is not None:
            query += " AND name = ?"
            values.append(signal)
        rows = []
        for name, data in self._db.execute(query + " ORDER BY signals.id, chunk", values):
            for ns, value, half_width in _SAMPLE.iter_unpack(data):
                time = (ns - found["begin_ns"]) / 1e9
                rows.append({"signal": name, "time_s": time, "value": value, "half_width_s": half_width})
        return rows

    def runs_frame(self) -> Any:
        return _frame(self.runs())

    def windows_frame(self, run: Optional[int] = None, scope: str = "window") -> Any:
        return _frame(self.windows(run, scope))

    def samples_frame(self, run: int, signal: Optional[str] = None) -> Any:
        return _frame(self.samples(run, signal))


def _frame(rows: List[Dict[str, Any]]) -> Any:
    import pandas

    return pandas.DataFrame(rows)
