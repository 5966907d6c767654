"""Marks the epochs and steps of unmodified Python programs under ``ergo run``.

``ergo run`` puts the folder of this file in front of the child's PYTHONPATH. Python imports ``sitecustomize`` at its
start; this one leaves the module path, lays a watch on the few modules of training frameworks that are worth marking, and
hands over to the sitecustomize that would have been imported without it. When nothing of all that is imported, nothing
else happens. Any Python must be able to read this file, also Python 2.
"""

import os
import sys

_PARTS = {
    "keras.src.callbacks.callback_list": "keras",
    "keras.src.trainers.epoch_iterator": "keras",
    "keras.src.trainers.data_adapters.generator_data_adapter": "keras",
    "keras.src.trainers.data_adapters.py_dataset_adapter": "keras",
    "keras.src.backend.jax.trainer": "keras",
    "keras.src.backend.tensorflow.trainer": "keras",
    "keras.src.backend.torch.trainer": "keras",
    "keras.src.backend.openvino.trainer": "keras",
    "keras.src.callbacks": "keras",
    "keras.callbacks": "keras",
    "keras.src.engine.data_adapter": "keras",
    "keras.engine.data_adapter": "keras",
    "tf_keras.src.callbacks": "keras",
    "tf_keras.src.engine.data_adapter": "keras",
    "torch.utils.data.dataloader": "torch",
    "torch.optim.optimizer": "torch",
    "torch.nn.modules.module": "torch",
    "lightning.pytorch.trainer.trainer": "trainers",
    "pytorch_lightning.trainer.trainer": "trainers",
    "transformers.trainer": "trainers",
}


class _ErgometerFinder(object):
    """Finds what the other finders find, and has modules of interest patched once they have been executed."""

    def __init__(self, folder):
        self.folder = folder
        self.hooks = None

    def find_spec(self, name, path=None, target=None):
        if name not in _PARTS:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec = find(name, path, target)
            if spec is not None:
                try:
                    self.watch(spec)
                except Exception:
                    pass
                return spec
        return None

    def watch(self, spec):
        loader = spec.loader
        execute = loader.exec_module
        patch = self.patch

        def exec_module(module):
            loader.__dict__.pop("exec_module", None)
            execute(module)
            patch(module)

        # Python leaves its own import machinery out of tracebacks; this step of it is to be left out too.
        exec_module.__code__ = exec_module.__code__.replace(co_filename="<frozen importlib._bootstrap>")
        loader.exec_module = exec_module

    def patch(self, module):
        try:
            if self.hooks is None:
                from importlib import util

                spec = util.spec_from_file_location("_ergometer_hooks", self.folder + "/_ergometer_hooks.py")
                self.hooks = util.module_from_spec(spec)
                spec.loader.exec_module(self.hooks)
            self.hooks.patch(_PARTS[module.__name__], module)
        except Exception:
            pass


def _install():
    folder = os.path.dirname(__file__)
    if folder in sys.path:
        sys.path.remove(folder)
    if sys.version_info < (3, 8) or not os.environ.get("ERGO_MARKS"):
        return
    if any(type(finder).__name__ == "_ErgometerFinder" for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _ErgometerFinder(folder))


try:
    _install()
except Exception:
    pass

# The program's own: found, missing or failing exactly as without the hooks.
sys.modules.pop("sitecustomize", None)
import sitecustomize  # noqa: E402,F401
