"""A Keras callback for those who prefer explicit code to the hooks of ``ergo run``.

    from ergometer.keras import EnergyCallback

    energy = EnergyCallback()
    model.fit(x, y, callbacks=[energy])
    energy.epochs            # one Energy per epoch
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import keras

from ._monitor import Monitor
from ._results import Energy


class EnergyCallback(keras.callbacks.Callback):
    """Measures each epoch and the whole training. Adds `energy_j` (or `estimated_energy_j`) to the logs of an epoch, and so
    to the history."""

    def __init__(self, monitor: Optional[Monitor] = None):
        super().__init__()
        self.monitor = monitor if monitor is not None else Monitor()
        self.epochs: List[Energy] = []
        self.training: Optional[Energy] = None
        self._fit: Optional[int] = None
        self._epoch: Optional[int] = None

    def on_train_begin(self, logs: Optional[Dict[str, Any]] = None) -> None:
        self._cancel()
        self._fit = self.monitor.begin("fit")

    def on_epoch_begin(self, epoch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        self._epoch = self.monitor.begin("epoch")

    def on_epoch_end(self, epoch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        if self._epoch is None:
            return
        energy = self.monitor.end(self._epoch)
        self._epoch = None
        self.epochs.append(energy)
        if logs is not None and energy.measured_j is not None:
            logs["energy_j"] = energy.measured_j
        if logs is not None and energy.estimated_j is not None:
            logs["estimated_energy_j"] = energy.estimated_j

    def on_train_end(self, logs: Optional[Dict[str, Any]] = None) -> None:
        if self._fit is not None:
            self.training = self.monitor.end(self._fit)
            self._fit = None

    def _cancel(self) -> None:
        """Forgets what a training that failed has left open."""
        for key in (self._epoch, self._fit):
            if key is not None:
                self.monitor.cancel(key)
        self._epoch = self._fit = None
