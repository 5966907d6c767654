"""Lightning and Transformers: window fit, and the exact end of each epoch.

Epochs, validations and steps come from the DataLoaders that both iterate (_ergometer_torch.py). Both prefetch a batch, and
so leave a loader before its end is seen: their callbacks say when the epoch is over.
"""

import sys

hooks = None


def setup(shared):
    global hooks
    hooks = shared


def patch(module):
    trainer = module.__dict__.get("Trainer")
    if module.__name__ == "transformers.trainer":
        hooks.before(trainer, "train", _transformers_train)
    else:
        hooks.before(trainer, "fit", lambda self: _lightning_fit(self, module.__name__.rsplit(".trainer", 2)[0]))


def _end_epoch():
    part = hooks._parts.get("torch")
    if part is not None:
        part.end_epoch()


def _lightning_fit(trainer, package):
    base = sys.modules[package + ".callbacks"].Callback
    if any(type(callback).__name__ == "_ErgometerCallback" for callback in trainer.callbacks):
        return

    class _ErgometerCallback(base):
        window = None

        def on_fit_start(self, *ignored):
            self._end()
            self.window = hooks.Window("fit")
            hooks.local.total = _lightning_epochs(trainer)

        def on_validation_start(self, trainer, *ignored):
            part = hooks._parts.get("torch")
            if part is not None and not trainer.sanity_checking:
                part.end_exhausted()

        def on_train_epoch_end(self, *ignored):
            _end_epoch()

        def on_fit_end(self, *ignored):
            self._end()

        def on_exception(self, *ignored):
            self._end()

        def _end(self):
            hooks.local.total = None
            if self.window is not None:
                hooks.synchronize()
                self.window.end()
                self.window = None

    trainer.callbacks.insert(0, _guarded(_ErgometerCallback)())


def _lightning_epochs(trainer):
    """None when steps or time, not epochs, end the training."""
    if not trainer.max_epochs or trainer.max_epochs < 0 or trainer.max_steps not in (-1, None):
        return None
    return trainer.max_epochs - trainer.current_epoch


def _transformers_train(trainer):
    from transformers.trainer_callback import TrainerCallback

    if any(type(callback).__name__ == "_ErgometerCallback" for callback in trainer.callback_handler.callbacks):
        return

    class _ErgometerCallback(TrainerCallback):
        window = None

        def on_train_begin(self, arguments, state, *ignored, **more):
            self.window = hooks.Window("fit")
            hooks.local.total = int(state.num_train_epochs) - int(state.epoch or 0)
            hooks.local.ahead = True

        def on_epoch_end(self, *ignored, **more):
            _end_epoch()

        def on_train_end(self, *ignored, **more):
            hooks.local.total = None
            hooks.local.ahead = False
            if self.window is not None:
                hooks.synchronize()
                self.window.end()
                self.window = None

    trainer.callback_handler.callbacks.insert(0, _guarded(_ErgometerCallback)())


def _guarded(owner):
    """The class with methods that raise nothing."""

    def quiet(function):
        def method(*args, **kwargs):
            try:
                function(*args, **kwargs)
            except Exception:
                pass

        return method

    for name, value in list(owner.__dict__.items()):
        if name.startswith("on_"):
            setattr(owner, name, quiet(value))
    return owner
