"""What a window cost: plain data, with a text and a notebook form."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Optional


@dataclass(frozen=True)
class Channel:
    """Energy of one channel; joules lie in [low_j, high_j] with 95 % confidence."""

    channel: str  #: "gpu0", "cpu0", "dram0", "node"
    source: str  #: "nvml.total_energy"
    provenance: str  #: "measured", "derived", "estimated", "simulated"
    in_total: bool  #: False for channels that overlap others
    joules: float
    low_j: float
    high_j: float
    mean_w: float


@dataclass(frozen=True)
class Energy:
    """What a window cost. What was not measured is None, never 0; measured and estimated joules are never added up."""

    name: str
    duration_s: float
    count: Optional[int] = None
    measured_j: Optional[float] = None
    low_j: Optional[float] = None
    high_j: Optional[float] = None
    estimated_j: Optional[float] = None
    channels: List[Channel] = field(default_factory=list)
    begin_ns: Optional[int] = None  #: on CLOCK_MONOTONIC (time.monotonic_ns())
    end_ns: Optional[int] = None

    @property
    def simulated(self) -> bool:
        """True when a simulated device is among the channels."""
        return any(channel.provenance == "simulated" for channel in self.channels)

    @property
    def joules_per_item(self) -> Optional[float]:
        if not self.count or self.measured_j is None:
            return None
        return self.measured_j / self.count

    def as_dict(self) -> Dict[str, Any]:
        """Without channels: a row of a table."""
        names = ("name", "duration_s", "count", "measured_j", "low_j", "high_j", "estimated_j")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        parts = [f"{self.name}: {self.duration_s:.3f} s"]
        if self.measured_j is not None:
            label = " (simulated)" if self.simulated else ""
            parts.append(f"{self.measured_j:.4g} J [{self.low_j:.4g} … {self.high_j:.4g}]{label}")
        if self.estimated_j is not None:
            parts.append(f"{self.estimated_j:.4g} J estimated")
        if self.measured_j is None and self.estimated_j is None:
            parts.append("no energy measured")
        if self.joules_per_item is not None:
            parts.append(f"{self.joules_per_item:.4g} J per item")
        return ", ".join(parts)

    def _repr_html_(self) -> str:
        rows = [
            [c.channel, c.provenance, c.source, f"{c.joules:.4g}", f"{c.low_j:.4g} … {c.high_j:.4g}", f"{c.mean_w:.4g}"]
            for c in self.channels
        ]
        return f"<p>{html.escape(str(self))}</p>" + table(["channel", "", "source", "J", "95 %", "W"], rows)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """An HTML table of texts."""

    def row(cells: Iterable[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + row(head, "th") + "".join(row(cells, "td") for cells in rows) + "</table>"


def energies_table(energies: Iterable[Energy]) -> str:
    def number(value: Optional[float]) -> str:
        return "" if value is None else f"{value:.4g}"

    rows = [
        [
            e.name,
            number(e.duration_s),
            "" if e.count is None else str(e.count),
            number(e.measured_j) + (" (simulated)" if e.simulated and e.measured_j is not None else ""),
            "" if e.low_j is None else f"{e.low_j:.4g} … {e.high_j:.4g}",
            number(e.estimated_j),
            number(e.joules_per_item),
        ]
        for e in energies
    ]
    return table(["window", "s", "items", "J", "95 %", "J estimated", "J per item"], rows)


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
