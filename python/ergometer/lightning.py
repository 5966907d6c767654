"""A Lightning callback for those who prefer explicit code to the hooks of ``ergo run``.

    from ergometer.lightning import EnergyCallback

    energy = EnergyCallback()
    Trainer(callbacks=[energy]).fit(model, loader)
    energy.epochs            # one Energy per epoch
"""

from __future__ import annotations

from typing import Any, List, Optional

try:
    from lightning.pytorch.callbacks import Callback
except ImportError:
    from pytorch_lightning.callbacks import Callback

from ._monitor import Monitor
from ._results import Energy


class EnergyCallback(Callback):
    """Measures each training epoch (with the validation in it) and the whole fit; sends `energy_j` to the loggers."""

    def __init__(self, monitor: Optional[Monitor] = None):
        self.monitor = monitor if monitor is not None else Monitor()
        self.epochs: List[Energy] = []
        self.training: Optional[Energy] = None
        self._fit: Optional[int] = None
        self._epoch: Optional[int] = None

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self._fit = self.monitor.begin("fit")

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._epoch = self.monitor.begin("epoch")

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if self._epoch is None:
            return
        energy = self.monitor.end(self._epoch)
        self._epoch = None
        self.epochs.append(energy)
        if energy.measured_j is not None:
            for logger in trainer.loggers:
                logger.log_metrics({"energy_j": energy.measured_j}, step=trainer.global_step)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        if self._fit is not None:
            self.training = self.monitor.end(self._fit)
            self._fit = None

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        for key in (self._epoch, self._fit):
            if key is not None:
                self.monitor.cancel(key)
        self._epoch = self._fit = None
