#!/usr/bin/env python3
"""Throughput of ergo-workload beside Python's torch: same networks, same CPU, same number of threads, in one run.

usage: bench/throughput_beside_python.py BUILD_FOLDER [ROUNDS [THREADS]]

The two take turns, round by round, so that what else the machine does hits both alike. Printed is the ratio of their
median latencies in each round: its median, and its smallest and largest. Needs python3-torch; the Python networks are
those of tests/unit/workloads/numerics_test.py, which also shows that both compute the same numbers.
"""
import importlib.util
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

# (name of the network, class of the Python one, its arguments, input size, batch, batches in a round)
CASES = [
    ("alexnet", "AlexNet", (), 224, 1, 10),
    ("alexnet", "AlexNet", (), 224, 8, 4),
    ("resnet50", "ResNet50", (), 224, 1, 6),
    ("vit_b_16", "VitB16", (224,), 224, 1, 4),
    ("yolov5s", "YoloV5s", (), 320, 1, 6),
    ("bert", "Bert", (), 64, 1, 6),
]


def load_networks(program):
    path = pathlib.Path(__file__).resolve().parent.parent / "tests/unit/workloads/numerics_test.py"
    sys.argv = [str(path), program]
    sys.path.insert(0, str(path.parent))  # the modules beside it
    spec = importlib.util.spec_from_file_location("numerics_test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cpp_latencies(program, name, size, batch, iterations, threads):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, name, "--size", str(size), "--batch", str(batch), "--iterations", str(iterations),
                        "--warmup", "2", "--threads", str(threads)],
                       check=True, stdout=subprocess.DEVNULL, env=os.environ | {"ERGO_RUN_DIR": folder})
        return [float(line) for line in open(os.path.join(folder, "latency.csv"))]


def python_latencies(torch, network, x, iterations):
    seconds = []
    with torch.no_grad():
        for _ in range(2):
            network(x)
        for _ in range(iterations):
            begin = time.perf_counter()
            network(x)
            seconds.append(time.perf_counter() - begin)
    return seconds


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program = os.path.join(sys.argv[1], "bin", "ergo-workload")
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    networks = load_networks(program)
    torch = networks.torch
    torch.set_num_threads(threads)
    print(f"Python torch {torch.__version__}, {threads} thread(s), {rounds} rounds")
    print(f"{'network':10} {'size':>5} {'batch':>5}  {'C++ ms':>8}  {'Python ms':>9}  {'speed of C++ beside Python':>28}")
    for name, kind, arguments, size, batch, iterations in CASES:
        network = getattr(networks, kind)(*arguments).eval()
        networks.use_realistic_statistics(network)
        x = torch.randint(30522, (batch, size)) if name == "bert" else torch.randn(batch, 3, size, size)
        cpp, python = [], []
        for _ in range(rounds):
            cpp.append(statistics.median(cpp_latencies(program, name, size, batch, iterations, threads)))
            python.append(statistics.median(python_latencies(torch, network, x, iterations)))
        ratios = [p / c for c, p in zip(cpp, python)]
        print(f"{name:10} {size:5} {batch:5}  {1e3 * statistics.median(cpp):8.1f}  {1e3 * statistics.median(python):9.1f}"
              f"  {statistics.median(ratios):8.3f} ({min(ratios):.3f} to {max(ratios):.3f})", flush=True)


if __name__ == "__main__":
    main()
