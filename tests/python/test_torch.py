"""Plain PyTorch loops, with Debian's python3-torch."""
import json
import re
import textwrap
import unittest

from python_case import TORCH_PYTHON, PythonCase, lacks, names

LACKS_TORCH = lacks(TORCH_PYTHON, "torch")

LOOP = """
    import torch
    from torch.utils.data import DataLoader, IterableDataset, TensorDataset
    torch.manual_seed(0)
    torch.set_num_threads(1)
    data = TensorDataset(torch.randn(210, 8), torch.randn(210, 1))
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    def train(loader):
        for x, y in loader:
            optimizer.zero_grad()
            ((model(x) - y) ** 2).mean().backward()
            optimizer.step()
"""


@unittest.skipIf(LACKS_TORCH, LACKS_TORCH)
class Torch(PythonCase):
    python = TORCH_PYTHON

    def loop(self, text, **options):
        return self.windows(self.script(textwrap.dedent(LOOP) + textwrap.dedent(text)), **options)

    USUAL = """
        loader = DataLoader(data, batch_size=50, shuffle=True)
        held_out = DataLoader(data, batch_size=64)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
        print(next(iter(loader))[0].shape)
        for epoch in range(3):
            model.train()
            train(loader)
            schedule.step()
            model.eval()
            with torch.no_grad():
                for x, y in held_out:
                    model(x)
    """

    def check_usual(self, run, windows):
        self.assertEqual(names(windows), [("epoch", 210), ("validation", 210)] * 3)
        self.assertEqual(sum(count for name, count in windows if name == "step"), 15)
        self.assert_physical(run)

    def test_a_usual_loop_on_the_cpu_estimate(self):
        self.check_usual(*self.loop(self.USUAL))

    def test_a_usual_loop_on_a_simulated_gpu(self):
        run, windows = self.loop(self.USUAL, before=("--sim", "v100"))
        self.check_usual(run, windows)
        self.assertIn("gpu0", [energy["channel"] for energy in run["energy"]])

    def test_no_grad_inside_the_loop(self):
        _, windows = self.loop("""
            train(DataLoader(data, batch_size=70))
            model.eval()
            for x, y in DataLoader(data, batch_size=70):
                with torch.no_grad():
                    model(x)
        """)
        self.assertEqual(names(windows), [("epoch", 210), ("validation", 210)])

    def test_looking_at_the_data_is_no_window(self):
        _, windows = self.loop("""
            total = sum(x.sum() for x, y in DataLoader(data, batch_size=70))
            x, y = next(iter(DataLoader(data, batch_size=70)))
        """)
        self.assertEqual(windows, [])

    def test_an_epoch_that_is_left_early_counts_what_was_read(self):
        _, windows = self.loop("""
            loader = DataLoader(data, batch_size=50)
            def some():
                for i, (x, y) in enumerate(loader):
                    if i == 3:
                        break
                    optimizer.zero_grad(); model(x).sum().backward(); optimizer.step()
            some()
            train(loader)
        """)
        self.assertEqual(names(windows), [("epoch", 200), ("epoch", 210)])

    def test_validation_within_an_epoch(self):
        _, windows = self.loop("""
            held_out = DataLoader(data, batch_size=105)
            for i, (x, y) in enumerate(DataLoader(data, batch_size=105)):
                optimizer.zero_grad(); model(x).sum().backward(); optimizer.step()
                with torch.no_grad():
                    for x, y in held_out:
                        model(x)
        """)
        self.assertEqual(sorted(names(windows)), [("epoch", 210), ("validation", 210), ("validation", 210)])

    def test_workers_persistent_workers_and_streams(self):
        _, windows = self.loop("""
            class Stream(IterableDataset):
                def __iter__(self):
                    for i in range(90):
                        yield torch.randn(8), torch.randn(1)
            if __name__ == "__main__":
                train(DataLoader(data, batch_size=100, num_workers=2))
                kept = DataLoader(data, batch_size=100, num_workers=1, persistent_workers=True, drop_last=True)
                train(kept)
                with torch.no_grad():
                    for x, y in DataLoader(data, batch_size=105):
                        model(x)
                train(kept)
                train(DataLoader(Stream(), batch_size=40))
        """)
        self.assertEqual(names(windows), [("epoch", 210), ("epoch", 200), ("validation", 210), ("epoch", 200), ("epoch", 90)])

    def test_an_endless_iterator_begins_a_new_epoch_with_each_restart(self):
        _, windows = self.loop("""
            loader = DataLoader(data, batch_size=70)
            batches = iter(loader)
            for _ in range(7):
                try:
                    x, y = next(batches)
                except StopIteration:
                    batches = iter(loader)
                    x, y = next(batches)
                optimizer.zero_grad(); model(x).sum().backward(); optimizer.step()
        """)
        self.assertEqual(names(windows), [("epoch", 210), ("epoch", 210), ("epoch", 70)])

    def test_steps_without_a_loader(self):
        _, windows = self.loop("""
            for _ in range(20):
                optimizer.zero_grad(); model(torch.ones(1, 8)).sum().backward(); optimizer.step()
        """)
        self.assertEqual({name for name, _ in windows}, {"step"})
        # The first step only begins the first window.
        self.assertEqual(sum(count for _, count in windows), 19)

    def test_processes_are_told_apart(self):
        run, windows = self.loop("""
            import os
            pid = os.fork()
            train(DataLoader(data, batch_size=105))
            if pid:
                os.waitpid(pid, 0)
        """)
        self.assertEqual(names(windows), [("epoch", 210), ("epoch", 210)])

    def test_results_and_tracebacks_are_the_same(self):
        script = self.script(textwrap.dedent(LOOP) + textwrap.dedent("""
            class Broken(torch.utils.data.Dataset):
                def __len__(self): return 100
                def __getitem__(self, i):
                    if i == 77:
                        raise OSError("disk gone")
                    return torch.ones(8), torch.ones(1)
            train(DataLoader(data, batch_size=50, shuffle=True))
            print(model.weight, type(iter(DataLoader(data))), DataLoader.__iter__)
            train(DataLoader(Broken(), batch_size=50))
        """))
        plain, hooked = self.plain(script), self.hooked(script)
        def bare(text):
            return re.sub(rb"0x[0-9a-f]+", b"", text)

        self.assertEqual(bare(plain.stdout), bare(hooked.stdout))
        self.assertEqual(plain.stderr, hooked.stderr)
        self.assertIn(b"disk gone", plain.stderr)
        self.assertEqual((plain.returncode, hooked.returncode), (1, 1))

#: torchrun of PyTorch 1.13 takes the default, 0, for nothing under Python 3.11.
FLAGS = ("--redirects=1", "--tee=2", "--log_dir=logs")


@unittest.skipIf(LACKS_TORCH, LACKS_TORCH)
class Ranks(PythonCase):
    """torchrun: each process has windows of its own, with its rank."""

    python = TORCH_PYTHON

    def test_two_ranks_on_gloo(self):
        script = self.script(textwrap.dedent(LOOP) + textwrap.dedent("""
            import torch.distributed as dist
            dist.init_process_group("gloo")
            data = TensorDataset(torch.randn(100 + 100 * dist.get_rank(), 8), torch.randn(100 + 100 * dist.get_rank(), 1))
            for epoch in range(2):
                for x, y in DataLoader(data, batch_size=50):
                    optimizer.zero_grad(); ((model(x) - y) ** 2).mean().backward(); optimizer.step()
                dist.barrier()
            dist.destroy_process_group()
        """))
        report, store = self.folder / "ranks.json", self.folder / "ranks.db"
        done = self.ergo("run", "--quiet", "--json", report, "--store", store, "--", self.python, "-m",
                         "torch.distributed.run", "--standalone", "--nproc_per_node=2", *FLAGS, script, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        windows = json.loads(report.read_text())["runs"][0]["windows"]
        epochs = sorted((w["name"], w["count"]) for w in windows if w["name"].startswith("epoch"))
        self.assertEqual(epochs, [("epoch/rank0", 100), ("epoch/rank0", 100), ("epoch/rank1", 200), ("epoch/rank1", 200)])

    def test_one_process_alone_has_no_rank(self):
        self.environment.update(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0")
        _, windows = self.windows(self.script(textwrap.dedent(LOOP) + "train(DataLoader(data, batch_size=105))\n"))
        self.assertEqual(names(windows), [("epoch", 210)])


if __name__ == "__main__":
    unittest.main()
