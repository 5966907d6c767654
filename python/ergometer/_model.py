"""`ergo predict` and `ergo advise` from Python: time and energy under GPU power limits, and which limit to set."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Union

from . import _native
from ._native import ErgometerError
from ._results import table

#: A file (CSV, for advise also a store), rows, or a pandas DataFrame. Columns: gpu, workload, config, power_limit_w, time_s,
#: energy_j (docs/user/power-limits.md).
Data = Union[str, "os.PathLike[str]", Iterable[Mapping[str, Any]], Any]
Limits = Union[str, Sequence[float], None]


class Table(List[Dict[str, Any]]):
    """Rows with a notebook form. frame() gives a pandas DataFrame."""

    def frame(self) -> Any:
        import pandas

        return pandas.json_normalize(list(self))

    def _repr_html_(self) -> str:
        rows = [_flat(row) for row in self]
        head = list(dict.fromkeys(name for row in rows for name in row))
        return table(head, ([_cell(row.get(name)) for name in head] for row in rows))

    def __str__(self) -> str:
        return "\n".join(", ".join(f"{name} {_cell(value)}" for name, value in _flat(row).items()) for row in self)


def predict(
    probes: Data, *, train: Optional[Data] = None, limits: Limits = None, method: Optional[str] = None,
    ergo: Optional[str] = None,
) -> Table:
    """Time, energy and EDP under every power limit of what `probes` measured at a few limits.

    `train`: measured sweeps of other workloads; better predictions with them. `limits`: watts, as a sequence or "100..300:25";
    default: each limit that the data show. Rows: gpu, workload, config, power_limit_w, and time_s, energy_j, edp_js with
    their 95 % intervals. Raises ErgometerError with ergo's own words.
    """
    with _file(probes) as probes_file, _file(train) as train_file:
        words = ["predict", "--probes", str(probes_file), "-o", "-", *_limits(limits)]
        if train_file is not None:
            words += ["--train", str(train_file)]
        if method is not None:
            words += ["--method", method]
        text = _ergo(words, ergo)
    return Table({name: _number(value) for name, value in row.items()} for row in csv.DictReader(io.StringIO(text)))


def advise(
    data: Data, *, objective: str = "energy", max_slowdown: Union[float, str, None] = None, limits: Limits = None,
    method: Optional[str] = None, ergo: Optional[str] = None,
) -> Table:
    """The power limit to set for each workload, what it saves and costs against the default limit, with 95 % intervals, or
    why there is no advice and what to measure next (`refused`, `next_probe`).

    `max_slowdown`: 0.05 or "5%". Other arguments as in predict(). Raises ErgometerError with ergo's own words.
    """
    with _file(data) as data_file:
        words = ["advise", str(data_file), "--objective", objective, "--json", "-", *_limits(limits)]
        if max_slowdown is not None:
            words += ["--max-slowdown", str(max_slowdown)]
        if method is not None:
            words += ["--method", method]
        text = _ergo(words, ergo)
    return Table(json.loads(text)["advice"])


def _limits(limits: Limits) -> List[str]:
    if limits is None:
        return []
    return ["--limits", limits if isinstance(limits, str) else ",".join(format(value, "g") for value in limits)]


def _ergo(words: Sequence[str], program: Optional[str]) -> str:
    done = subprocess.run([_native.program(program), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode != 0:
        raise ErgometerError(done.stderr.strip() or f"ergo {words[0]} ended with exit code {done.returncode}")
    return done.stdout


@contextmanager
def _file(data: Optional[Data]) -> Iterator[Optional[Path]]:
    """The data as a file that ergo can read."""
    if data is None or isinstance(data, (str, os.PathLike)):
        yield None if data is None else Path(data)
        return
    rows = data.to_dict("records") if hasattr(data, "to_dict") else [dict(row) for row in data]
    names = list(dict.fromkeys(name for row in rows for name in row))
    with tempfile.TemporaryDirectory(prefix="ergo-table-") as folder:
        path = Path(folder) / "table.csv"
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)
        yield path


def _number(text: Any) -> Any:
    try:
        return float(text)
    except (TypeError, ValueError):
        return text


def _flat(row: Mapping[str, Any]) -> Dict[str, Any]:
    """Intervals as one text: "0.20 [0.17 … 0.24]"."""
    flat: Dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping) and {"value", "low", "high"} <= set(value):
            flat[name] = "{value:.4g} [{low:.4g} … {high:.4g}]".format(**value)
        elif isinstance(value, Mapping):
            flat.update((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            flat[name] = value
    return flat


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)
