#!/usr/bin/env python3
"""What a real NVIDIA card's energy counter and power readings stand for, and what reading them costs.

    bench/nvml_readings.py calls            # time of each driver call
    bench/nvml_readings.py record FOLDER    # 42 s of square-wave loads beside the fastest readings
    bench/nvml_readings.py fit FOLDER       # which window of the load explains each reading best
    ergo run --store FILE -- bench/nvml_readings.py loads   # five loads of 20 s, marked, for bench/sources_beside

Only reads; needs nvidia-ml-py, PyTorch with CUDA (record) and NumPy (fit).
"""

import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

INSTANT, AVERAGE, ENERGY = 186, 185, 83
# (seconds busy, seconds at rest, times)
LOADS = [(1.0, 1.0, 5), (0.035, 0.04, 80), (0.1, 0.1, 30), (0.25, 0.3, 12), (4.0, 1.0, 1)]
RECORD_S = 42


def open_card():
    import pynvml

    pynvml.nvmlInit()
    return pynvml, pynvml.nvmlDeviceGetHandleByIndex(0)


def new_samples(nvml, card, seen):
    """The driver's record of power since the last call: (microseconds since 1970, mW)."""
    try:
        new = nvml.nvmlDeviceGetSamples(card, 0, seen[0])[1]
    except nvml.NVMLError_NotFound:
        return []
    seen[0] = max([seen[0], *(sample.timeStamp for sample in new)])
    return [(sample.timeStamp, sample.sampleValue.uiVal) for sample in new]


def calls(repeats=40):
    nvml, card = open_card()
    seen = [0]
    wanted = {
        "TotalEnergyConsumption": lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(card),
        "PowerUsage": lambda: nvml.nvmlDeviceGetPowerUsage(card),
        "UtilizationRates": lambda: nvml.nvmlDeviceGetUtilizationRates(card),
        "MemoryInfo": lambda: nvml.nvmlDeviceGetMemoryInfo(card),
        "Temperature": lambda: nvml.nvmlDeviceGetTemperature(card, 0),
        "ClockInfo": lambda: nvml.nvmlDeviceGetClockInfo(card, 1),
        "ThrottleReasons": lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(card),
        "EnforcedPowerLimit": lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(card),
        "PowerManagementLimit": lambda: nvml.nvmlDeviceGetPowerManagementLimit(card),
        "ComputeRunningProcesses": lambda: nvml.nvmlDeviceGetComputeRunningProcesses(card),
        "ProcessUtilization": lambda: nvml.nvmlDeviceGetProcessUtilization(card, 0),
        "Samples of power, all": lambda: nvml.nvmlDeviceGetSamples(card, 0, 0),
        "Samples of power, new ones": lambda: new_samples(nvml, card, seen),
    }
    for ids in ([ENERGY], [INSTANT], [AVERAGE], [INSTANT, AVERAGE], [ENERGY, AVERAGE, INSTANT], [74]):
        wanted[f"FieldValues {ids}"] = lambda ids=ids: nvml.nvmlDeviceGetFieldValues(card, ids)
    for name, call in wanted.items():
        try:
            call()
            took = []
            for _ in range(repeats):
                begin = time.perf_counter_ns()
                call()
                took.append((time.perf_counter_ns() - begin) / 1e3)
                time.sleep(0.003)
        except nvml.NVMLError as refusal:
            print(f"{name:32s} {refusal}")
            continue
        print(f"{name:32s} median {statistics.median(took):8.1f} us, at most {max(took):8.1f} us")


def read_card(file):
    nvml, card = open_card()
    end = time.monotonic() + RECORD_S
    seen, drained = [0], 0.0
    to_monotonic = time.monotonic_ns() - time.time_ns()
    with open(file, "w", encoding="ascii") as out, open(file + ".record", "w", encoding="ascii") as record:
        while time.monotonic() < end:
            if time.monotonic() > drained + 1.0:
                for stamp, power in new_samples(nvml, card, seen):
                    print(stamp * 1000 + to_monotonic, power, file=record)
                drained = time.monotonic()
            before = time.monotonic_ns()
            energy = nvml.nvmlDeviceGetTotalEnergyConsumption(card)
            between = time.monotonic_ns()
            instant, average = nvml.nvmlDeviceGetFieldValues(card, [INSTANT, AVERAGE])
            after = time.monotonic_ns()
            print(before, between, after, energy, instant.value.uiVal, average.value.uiVal, file=out)
            time.sleep(0.001)


def record(folder):
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    left, right = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    torch.matmul(left, right)
    torch.cuda.synchronize()
    with subprocess.Popen([sys.executable, __file__, "read", str(folder / "readings.txt")]) as reader, open(
        folder / "load.txt", "w", encoding="ascii"
    ) as load:
        time.sleep(1.0)
        for busy, rest, times in LOADS:
            for _ in range(times):
                begin = time.monotonic_ns()
                while time.monotonic_ns() - begin < busy * 1e9:
                    torch.matmul(left, right)
                    torch.cuda.synchronize()
                print(begin, time.monotonic_ns(), file=load)
                time.sleep(rest)
        reader.wait()


def loads():
    import torch
    from ergometer import mark

    left = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    torch.matmul(left, left)
    torch.cuda.synchronize()
    draw = random.Random(7)

    def about(mean):
        return lambda: min(3 * mean, max(mean / 5, draw.expovariate(1 / mean)))

    wanted = {f"bursty {mean} s": (about(mean), about(mean)) for mean in (0.4, 0.1, 0.04)}
    wanted["square 50/50 ms"] = (lambda: 0.05, lambda: 0.05)
    wanted["steady"] = (lambda: 0.5, lambda: 0)
    for name, (busy, rest) in wanted.items():
        end = time.monotonic() + 20
        with mark.window(name):
            while time.monotonic() < end:
                until = time.monotonic() + busy()
                while time.monotonic() < until:
                    torch.matmul(left, left)
                    torch.cuda.synchronize()
                time.sleep(rest())
        time.sleep(1)


def fit(folder):
    import numpy as np

    rows = np.loadtxt(folder / "readings.txt")
    zero = rows[0, 0]
    load = (np.loadtxt(folder / "load.txt") - zero) / 1e9
    counter = np.c_[(rows[:, 0] + rows[:, 1]) / 2e9 - zero / 1e9, rows[:, 3] / 1e3]
    fields = (rows[:, 1] + rows[:, 2]) / 2e9 - zero / 1e9
    begin, end = load[0, 0] + 1.5, load[-2, 1]

    def changes(series):
        new = np.flatnonzero(np.diff(series[:, 1])) + 1
        at = (series[new - 1, 0] + series[new, 0]) / 2
        keep = (at > begin) & (at < end)
        return np.c_[at[keep], series[new, 1][keep]]

    def busy_until(instants):
        return np.clip(instants[:, None] - load[:, 0], 0, load[:, 1] - load[:, 0]).sum(axis=1)

    def residual(points, window, lag):
        last = points[:, 0] - lag
        busy = (busy_until(last) - busy_until(last - window)) / window
        design = np.c_[busy, np.ones_like(busy)]
        line = np.linalg.lstsq(design, points[:, 1], rcond=None)[0]
        return (points[:, 1] - design @ line).std()

    ticks = changes(counter)
    step = np.diff(ticks[:, 0])
    whole = (step > 0.08) & (step < 0.125)
    power = np.c_[ticks[1:, 0], np.diff(ticks[:, 1]) / 0.1][whole]
    record = np.loadtxt(folder / "readings.txt.record")
    record = np.c_[(record[:, 0] - zero) / 1e9, record[:, 1] / 1e3]
    record = record[(record[:, 0] > begin) & (record[:, 0] < end)]
    print(f"the driver's record: one value every {1e3 * np.median(np.diff(record[:, 0])):.1f} ms "
          f"(90 % of the steps: {1e3 * np.quantile(np.diff(record[:, 0]), 0.05):.1f} to "
          f"{1e3 * np.quantile(np.diff(record[:, 0]), 0.95):.1f} ms)")
    instants = np.linspace(ticks[2, 0], ticks[-3, 0], 400_001)
    counted = ticks[-3, 1] - ticks[2, 1]
    for name, points, delay in (("record", record, 0.0125), ("instant power", changes(np.c_[fields, rows[:, 4] / 1e3]), 0.0625)):
        watts = np.interp(instants, points[:, 0] - delay, points[:, 1])
        print(f"integral of the {name} beside the counter: {100 * (watts.mean() * np.ptp(instants) / counted - 1):+.2f} %")
    readings = {
        "the driver's record": record,
        "increments of the energy counter": power,
        "instant power": changes(np.c_[fields, rows[:, 4] / 1e3]),
        "average power": changes(np.c_[fields, rows[:, 5] / 1e3]),
    }
    print(f"{len(rows)} readings; the counter moves every {1e3 * np.median(step):.1f} ms")
    for name, points in readings.items():
        windows = (0.01, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.125, 0.15, 0.5, 1.0, 1.2)
        best = {w: min((residual(points, w, lag), lag) for lag in np.arange(-0.02, 0.12, 0.005)) for w in windows}
        window = min(best, key=best.get)
        others = ", ".join(f"{1e3 * w:.0f} ms: {best[w][0]:.0f} W" for w in (0.025, 0.1, 1.0) if w != window)
        print(
            f"{name}: spread {points[:, 1].std():.0f} W; as the mean load of {1e3 * window:.0f} ms "
            f"{best[window][0]:.0f} W are left (lag {1e3 * best[window][1]:.0f} ms); {others}"
        )


def main():
    if sys.argv[1:2] == ["calls"]:
        calls()
    elif sys.argv[1:2] == ["loads"]:
        loads()
    elif sys.argv[1:2] == ["read"] and len(sys.argv) == 3:
        read_card(sys.argv[2])
    elif sys.argv[1:2] in (["record"], ["fit"]) and len(sys.argv) == 3:
        {"record": record, "fit": fit}[sys.argv[1]](Path(sys.argv[2]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
