"""What `ergo predict` and `ergo advise` do: time and energy under GPU power limits, and which limit to set."""

from __future__ import annotations

import csv
import io
import os
from typing import Any, Iterable, Mapping, Optional, Sequence, Tuple, Union

from ._library import _core
from ._results import Table

#: A file (CSV or a store), rows, or a pandas DataFrame. Columns: gpu, workload, config, power_limit_w, time_s, energy_j
#: (docs/user/power-limits.md).
Data = Union[str, "os.PathLike[str]", Iterable[Mapping[str, Any]], Any]
Limits = Union[str, Sequence[float], None]


def predict(probes: Data, *, train: Optional[Data] = None, limits: Limits = None, method: str = "ergo") -> Table:
    """Time, energy and EDP under every power limit of what `probes` measured at a few limits.

    `train`: measured sweeps of other workloads; better predictions with them. `limits`: watts, as a sequence or "100..300:25";
    default: each limit that the data show. Rows: gpu, workload, config, power_limit_w, and time_s, energy_j, edp_js with
    their 95 % intervals. Raises ErgometerError.
    """
    known = None if train is None else _source(train)
    return Table(_core.predict(_source(probes), known, _limits(limits), method))


def advise(
    data: Data, *, objective: str = "energy", max_slowdown: Union[float, str, None] = None, limits: Limits = None,
    method: str = "ergo",
) -> Table:
    """The power limit to set for each workload, what it saves and costs against the default limit, with 95 % intervals, or
    why there is no advice and what to measure next (`refused`, `next_probe`).

    `objective`: "energy", "edp", "ed2p" or "time". `max_slowdown`: 0.05 or "5%". Other arguments as in predict(). Raises
    ErgometerError.
    """
    slowdown = None if max_slowdown is None else str(max_slowdown)
    return Table(_core.advise(_source(data), objective, slowdown, _limits(limits), method))


def _limits(limits: Limits) -> Optional[str]:
    if limits is None or isinstance(limits, str):
        return limits
    return ",".join(repr(float(value)) for value in limits)


def _source(data: Data) -> Tuple[str, Optional[str]]:
    """A file, or rows as CSV."""
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data), None
    rows = data.to_dict("records") if hasattr(data, "to_dict") else [dict(row) for row in data]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    # Not a number is how pandas says that a cell is empty.
    writer.writerows({name: "" if value != value else value for name, value in row.items()} for row in rows)
    return "the table", text.getvalue()
