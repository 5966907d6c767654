"""JsonParser: the folder that a recording is written to."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, Union


class JsonParser:
    """Writes a recording as AIPowerMeter does. The folder is made with the first file in it, or when an Experiment begins
    there."""

    def __init__(self, location: Union[str, Path], **ignored: Any):
        self.folder = os.fspath(location)
        self.power_metric_filename = os.path.join(self.folder, "power_metrics.json")
        self.exp_metric_filename = os.path.join(self.folder, "results_exp.json")

    def erase(self) -> None:
        """Removes the files of an earlier recording; other files in the folder stay."""
        os.makedirs(self.folder, exist_ok=True)
        for name in ("power_metrics.json", "results_exp.json", "metadata.json", "latency.csv", "latency.json"):
            try:
                os.unlink(os.path.join(self.folder, name))
            except FileNotFoundError:
                pass

    def save_metadata(self, description: str) -> None:
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, "metadata.json"), "w", encoding="utf-8") as file:
            json.dump({"description": description, "date": str(datetime.now())}, file)
            file.write("\n")

    def save_power_metrics(self, metrics: Dict[str, Any]) -> None:
        self._append(self.power_metric_filename, {"date": _date(), "metrics": metrics})

    def save_exp_metrics(self, metrics: Dict[str, Any]) -> None:
        """Results of the experiment itself, one line per call."""
        self._append(self.exp_metric_filename, {"date": _date(), "metrics": metrics})

    def end_segment(self) -> None:
        """The line that closes a recording."""
        self._append(self.power_metric_filename, "END OF RECORDING SEGMENT")

    def _append(self, path: str, value: Any) -> None:
        os.makedirs(self.folder, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")


def _date() -> str:
    """"2026-03-06 10:00:02.100000": with microseconds even when they are 0."""
    return datetime.now().isoformat(sep=" ", timespec="microseconds")
