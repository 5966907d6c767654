"""Lightning's Trainer. Lightning is too large for every run of the tests: install it beside torch to have them run."""
import importlib.util
import unittest

from python_case import LIBRARY, PACKAGE, PythonCase, names

HAS_LIGHTNING = any(importlib.util.find_spec(name) for name in ("lightning", "pytorch_lightning"))

SCRIPT = """
    import torch, warnings
    warnings.simplefilter("ignore")
    try:
        import lightning.pytorch as pl
    except ImportError:
        import pytorch_lightning as pl
    from torch.utils.data import DataLoader, TensorDataset
    torch.set_num_threads(1)
    data = TensorDataset(torch.randn(210, 8), torch.randn(210, 1))
    class Model(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(8, 1)
        def training_step(self, batch, index):
            x, y = batch
            return ((self.layer(x) - y) ** 2).mean()
        def validation_step(self, batch, index):
            self.layer(batch[0])
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.01)
    options = dict(max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
                   enable_model_summary=False, accelerator="cpu")
"""


@unittest.skipUnless(HAS_LIGHTNING, "lightning is not installed for this Python")
class Lightning(PythonCase):
    def test_epochs_and_validations(self):
        import textwrap

        run, windows = self.windows(self.script(textwrap.dedent(SCRIPT) + textwrap.dedent("""
            pl.Trainer(num_sanity_val_steps=0, **options).fit(
                Model(), DataLoader(data, batch_size=50), DataLoader(data, batch_size=70))
        """)))
        self.assertEqual(names(windows),
                         [("fit", None), ("epoch", 210), ("validation", 210), ("epoch", 210), ("validation", 210)])
        epochs = [w for w in run["windows"] if w["name"] == "epoch"]
        validations = [w for w in run["windows"] if w["name"] == "validation"]
        self.assertLessEqual(epochs[0]["start_s"] + epochs[0]["duration_s"], validations[0]["start_s"] + 1e-3)
        self.assert_physical(run)

    def test_the_callback_of_the_package(self):
        import textwrap

        self.environment.update(PYTHONPATH=str(PACKAGE), ERGO_LIBRARY=str(LIBRARY))
        done = self.plain(self.script(textwrap.dedent(SCRIPT) + textwrap.dedent("""
            from ergometer.lightning import EnergyCallback
            energy = EnergyCallback()
            pl.Trainer(callbacks=[energy], **options).fit(Model(), DataLoader(data, batch_size=50))
            print(len(energy.epochs), energy.training.duration_s > 0)
        """)))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.endswith(b"2 True\n"), done.stdout)


if __name__ == "__main__":
    unittest.main()
