#!/usr/bin/env python3
"""What the hooks of `ergo run` add to a training step, and what the package costs: its import, begin and end of a window.

usage: bench/hook_cost.py BUILD_FOLDER KERAS_PYTHON TORCH_PYTHON [REPEATS]

BUILD_FOLDER is a Release build with the Python module for KERAS_PYTHON (build/ci, or -DERGO_PYTHON=ON).

The same loop with and without hooks, both under `ergo run`, interleaved; steps as small as they get, so that what is added
shows. CPU time of the process, since hooks never wait; the fastest epoch of each counts.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

STEP_MS = 5.0

TORCH = """
import time, torch
from torch.utils.data import DataLoader, TensorDataset
torch.set_num_threads(1)
data = TensorDataset(torch.randn(4000, 4), torch.randn(4000, 1))
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
best = 1e9
for epoch in range(8):
    begin = time.process_time()
    for x, y in DataLoader(data, batch_size=4):
        optimizer.zero_grad(); ((model(x) - y) ** 2).mean().backward(); optimizer.step()
    best = min(best, time.process_time() - begin)
print(best / 1000)
"""

KERAS = """
import os, time
os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu", TF_CPP_MIN_LOG_LEVEL="3")
import numpy, keras
x, y = numpy.ones((4000, 4), "float32"), numpy.ones((4000, 1), "float32")
inputs = keras.Input((4,))
model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
model.compile(loss="mse", optimizer="sgd")
class Watch(keras.callbacks.Callback):
    best = 1e9
    def on_epoch_begin(self, epoch, logs=None): self.begin = time.process_time()
    def on_epoch_end(self, epoch, logs=None): self.best = min(self.best, time.process_time() - self.begin)
watch = Watch()
model.fit(x, y, batch_size=4, epochs=8, verbose=0, callbacks=[watch])
print(watch.best / 1000)
"""

CALLS = """
import ergometer, statistics, time
clock = time.perf_counter_ns
with ergometer.Monitor() as monitor:
    begins, ends = [], []
    for _ in range(2000):
        a = clock()
        key = monitor.begin("window")
        b = clock()
        monitor.end(key)
        begins.append(b - a)
        ends.append(clock() - b)
    print(f"begin {statistics.median(begins) / 1e3:.0f} µs, end {statistics.median(ends) / 1e3:.0f} µs, "
          f"{len(monitor.signals())} signals")
"""


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    ergo = str(build / "bin/ergo")
    repeats = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    environment = dict(os.environ, KERAS_HOME=tempfile.mkdtemp(prefix="ergo-bench."))
    print("| loop | step, plain | step, hooked | added | of a step of 5 ms |\n|---|---|---|---|---|")
    for name, python, code in (("PyTorch, DataLoader", sys.argv[3], TORCH), ("Keras on JAX, fit", sys.argv[2], KERAS)):
        best = {}
        for _ in range(repeats):
            for options in (("--no-hooks",), ()):
                words = [ergo, "run", "--quiet", *options, "--", python, "-c", code]
                done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
                best[options] = min(best.get(options, 1e9), 1e6 * float(done.stdout.split()[-1]))
        plain, hooked = best[("--no-hooks",)], best[()]
        print(f"| {name} | {plain:.1f} µs | {hooked:.1f} µs | {hooked - plain:.1f} µs | "
              f"{(hooked - plain) / (10 * STEP_MS):.2f} % |", flush=True)
    environment["PYTHONPATH"] = str(build / "share/ergo/python")
    print()
    for what, code in (("import ergometer", "import ergometer"),
                       ("import ergometer, and its native module", "import ergometer; ergometer.Monitor")):
        code = f"import time; begin = time.perf_counter(); {code}; print(time.perf_counter() - begin)"
        runs = [subprocess.run([sys.argv[2], "-c", code], env=environment, capture_output=True, text=True, check=True)
                for _ in range(15)]
        print(f"{what}: {1e3 * statistics.median(float(run.stdout) for run in runs):.2f} ms (median of {len(runs)})")
    for node in ("", "v100"):
        words = [ergo, *(("--sim", node) if node else ()), "run", "--quiet", "--no-hooks", "--", sys.argv[2], "-c", CALLS]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        print(f"Monitor, {'simulated ' + node if node else 'this machine'}: {done.stdout.strip()}")


if __name__ == "__main__":
    main()
