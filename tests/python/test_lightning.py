"""The Trainers of Lightning and of Hugging Face, upon Debian's python3-torch."""
import textwrap
import unittest

from python_case import PACKAGE, TORCH_PYTHON, PythonCase, lacks, names

LACKS_LIGHTNING = lacks(TORCH_PYTHON, "torch", "lightning")
LACKS_TRANSFORMERS = lacks(TORCH_PYTHON, "torch", "transformers", "accelerate")

#: Debian's 1.13.1 calls itself 1.13.0a0, which Lightning takes for older than 1.13; and a part of its torch.distributed, which
#: Lightning imports when there is any, cannot be imported by Python 3.11.
TORCH = """
    import torch, warnings
    warnings.simplefilter("ignore")
    if torch.__version__.startswith("1.13.0a0"):
        torch.__version__ = "1.13.1"
        torch.distributed.is_available = lambda: False
"""

SCRIPT = TORCH + """
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


@unittest.skipIf(LACKS_LIGHTNING, LACKS_LIGHTNING)
class Lightning(PythonCase):
    python = TORCH_PYTHON

    def test_epochs_and_validations(self):
        run, windows = self.windows(self.script(textwrap.dedent(SCRIPT) + textwrap.dedent("""
            pl.Trainer(num_sanity_val_steps=0, **options).fit(
                Model(), DataLoader(data, batch_size=50), DataLoader(data, batch_size=70))
        """)))
        self.assertEqual(names(windows),
                         [("fit", None), ("epoch", 210), ("validation", 210), ("epoch", 210), ("validation", 210)])
        self.assertEqual(sum(count for name, count in windows if name == "step"), 10)
        epochs = [w for w in run["windows"] if w["name"] == "epoch"]
        validations = [w for w in run["windows"] if w["name"] == "validation"]
        self.assertLessEqual(epochs[0]["start_s"] + epochs[0]["duration_s"], validations[0]["start_s"] + 1e-3)
        self.assert_physical(run)

    def test_the_callback_of_the_package(self):
        self.environment.update(PYTHONPATH=str(PACKAGE))
        done = self.plain(self.script(textwrap.dedent(SCRIPT) + textwrap.dedent("""
            from ergometer.lightning import EnergyCallback
            energy = EnergyCallback()
            pl.Trainer(callbacks=[energy], **options).fit(Model(), DataLoader(data, batch_size=50))
            print(len(energy.epochs), energy.training.duration_s > 0)
        """)))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.endswith(b"2 True\n"), done.stdout)

    def test_the_trainer_says_how_many_epochs_there_will_be(self):
        done = self.ergo("run", "--", self.python, self.script(textwrap.dedent(SCRIPT) + textwrap.dedent("""
            import time
            class Slow(Model):
                def on_train_batch_end(self, *ignored):
                    time.sleep(0.2)
            pl.Trainer(**{**options, "max_epochs": 4}).fit(Slow(), DataLoader(data, batch_size=50))
        """)))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"(?m)^ergo: 2 of 4 epochs: ")


@unittest.skipIf(LACKS_TRANSFORMERS, LACKS_TRANSFORMERS)
class Transformers(PythonCase):
    python = TORCH_PYTHON

    SCRIPT = textwrap.dedent(TORCH) + textwrap.dedent("""
        import os, time
        os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
        from transformers import Trainer, TrainingArguments
        torch.set_num_threads(1)
        class Data(torch.utils.data.Dataset):
            def __len__(self): return 210
            def __getitem__(self, i): return {"x": torch.ones(8) * i / 210, "labels": torch.ones(1)}
        class Model(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(8, 1)
            def forward(self, x, labels=None):
                time.sleep(0.03)
                out = self.layer(x)
                return {"loss": ((out - labels) ** 2).mean(), "logits": out}
        arguments = TrainingArguments("out", num_train_epochs=4, per_device_train_batch_size=10, evaluation_strategy="epoch",
                                      per_device_eval_batch_size=70, save_strategy="no", report_to=[], disable_tqdm=True,
                                      use_cpu=True, logging_strategy="no")
        Trainer(Model(), arguments, train_dataset=Data(), eval_dataset=Data()).train()
    """)

    def test_epochs_validations_and_the_live_total(self):
        run, windows = self.windows(self.script(self.SCRIPT), "--name", "hf")
        self.assertEqual(names(windows), [("fit", None)] + [("epoch", 210), ("validation", 210)] * 4)
        self.assertEqual(sum(count for name, count in windows if name == "step"), 84)
        self.assert_physical(run)
        done = self.ergo("run", "--", self.python, self.folder / "script.py")
        self.assertRegex(done.stderr, r"(?m)^ergo: 2 of 4 epochs: ")


if __name__ == "__main__":
    unittest.main()
