"""What this machine lets itself be measured with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from ._library import _core
from ._results import Table


@dataclass(frozen=True)
class Sensors:
    """What can be read here, and what cannot, with the command that unlocks it."""

    found: Table  #: sensor, signal, unit, channel, provenance, in_total
    missing: Table  #: backend, what, why, fix
    gpus: Table  #: index, uuid, name, power_limit_w, simulated
    warnings: List[str]

    def __str__(self) -> str:
        lines = [f"{row['signal']} ({row['unit']}), {row['provenance']}" for row in self.found if row["channel"]]
        lines += [f"missing: {row['what']}: {row['why']}" + (f" ({row['fix']})" if row["fix"] else "") for row in self.missing]
        return "\n".join(lines + self.warnings)

    def _repr_html_(self) -> str:
        return self.found._repr_html_() + self.missing._repr_html_()


def sensors(gpus: Optional[str] = None) -> Sensors:
    """Looks for everything that Ergometer can read. `gpus` as in Monitor."""
    return _sensors(_core.sensors(gpus))


def _sensors(found: Dict[str, Any]) -> Sensors:
    return Sensors(Table(found["found"]), Table(found["missing"]), Table(found["gpus"]), list(found["warnings"]))
