"""How much one call of a function costs: repeats, median, interval."""

from __future__ import annotations

import html
import math
import statistics
from dataclasses import dataclass, field
from typing import Any, Callable, List, Optional, Tuple

from ._monitor import Monitor
from ._results import Energy, energies_table


@dataclass(frozen=True)
class Measurement:
    """Per call: the median over the repeats and an interval that holds it with 95 % confidence, as far as the number of
    repeats allows (`confidence`). Energies include the budget of the sensors. None is what was not measured."""

    name: str
    repeats: int
    number: int  #: calls per repeat
    confidence: float
    seconds: float
    seconds_interval: Tuple[float, float]
    joules: Optional[float] = None
    joules_interval: Optional[Tuple[float, float]] = None
    estimated_joules: Optional[float] = None
    results: List[Energy] = field(default_factory=list)

    def __str__(self) -> str:
        low, high = self.seconds_interval
        text = f"{self.name}: {self.seconds:.4g} s [{low:.4g} … {high:.4g}] per call"
        if self.joules is not None and self.joules_interval is not None:
            label = " (simulated)" if any(r.simulated for r in self.results) else ""
            text += f", {self.joules:.4g} J [{self.joules_interval[0]:.4g} … {self.joules_interval[1]:.4g}]{label}"
        if self.estimated_joules is not None:
            text += f", {self.estimated_joules:.4g} J estimated"
        return text + f"; {self.repeats} repeats of {self.number} calls"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>" + energies_table(self.results)


def median_interval(values: List[float]) -> Tuple[float, float, float]:
    """(low, high, confidence): order statistics that hold the median of the distribution with 95 % confidence, or the
    extremes and the confidence that they have when there are fewer than six values (binomial with p = 1/2; David and
    Nagaraja, Order Statistics, section 7.1)."""
    ordered = sorted(values)
    n = len(ordered)
    low, confidence = 0, 1.0 - 2.0 * 0.5**n if n > 1 else 0.0
    outside = 0.0
    for k in range(n // 2):
        outside += math.comb(n, k) * 0.5**n
        if 1.0 - 2.0 * outside < 0.95:
            break
        low, confidence = k, 1.0 - 2.0 * outside
    return ordered[low], ordered[n - 1 - low], confidence


def measure(
    function: Callable[[], Any],
    repeat: int = 7,
    number: Optional[int] = None,
    min_time: float = 0.5,
    warmup: int = 1,
    monitor: Optional[Monitor] = None,
    name: Optional[str] = None,
) -> Measurement:
    """Calls `function` `number` times in each of `repeat` windows, after `warmup` calls that do not count.

    Without `number` it is chosen so that a window lasts `min_time` seconds: sensors see nothing of shorter ones.
    """
    if repeat < 1:
        raise ValueError("repeat must be 1 or more")
    own = monitor is None
    monitor = Monitor() if monitor is None else monitor
    label = str(name or getattr(function, "__name__", "function"))
    try:
        for _ in range(warmup):
            function()
        calls = number or _calls_for(function, min_time, monitor, label)
        results = []
        for _ in range(repeat):
            with monitor.window(label, calls) as window:
                for _ in range(calls):
                    function()
            assert window.result is not None
            results.append(window.result)
    finally:
        if own:
            monitor.close()
    return _summary(label, calls, results)


def _calls_for(function: Callable[[], Any], min_time: float, monitor: Monitor, label: str) -> int:
    calls = 1
    while True:
        key = monitor.begin(label)
        try:
            for _ in range(calls):
                function()
        except BaseException:
            monitor.cancel(key)
            raise
        taken = monitor.end(key).duration_s
        monitor.results.pop()
        if taken >= min_time:
            return calls
        calls = max(calls + 1, min(calls * 10, math.ceil(1.2 * calls * min_time / max(taken, 1e-9))))


def _summary(name: str, calls: int, results: List[Energy]) -> Measurement:
    seconds = [r.duration_s / calls for r in results]
    low, high, confidence = median_interval(seconds)
    joules: Optional[float] = None
    interval: Optional[Tuple[float, float]] = None
    if all(r.measured_j is not None for r in results):
        values = [r.measured_j / calls for r in results]  # type: ignore[operator]
        joules = statistics.median(values)
        spread_low, spread_high, _ = median_interval(values)
        # The sensor's error is common to all repeats, so it is not made smaller by them.
        below = statistics.median([(r.measured_j - r.low_j) / calls for r in results])  # type: ignore[operator]
        above = statistics.median([(r.high_j - r.measured_j) / calls for r in results])  # type: ignore[operator]
        interval = (spread_low - below, spread_high + above)
    estimated: Optional[float] = None
    if all(r.estimated_j is not None for r in results):
        estimated = statistics.median([r.estimated_j / calls for r in results])  # type: ignore[operator]
    return Measurement(
        name, len(results), calls, confidence, statistics.median(seconds), (low, high), joules, interval, estimated, results
    )
