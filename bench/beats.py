#!/usr/bin/env python3
"""Jobs whose iterations are marked, for bench/beat_beside_marks.

    ergo run --period 20ms --store FILE -- bench/beats.py

Seven jobs of 30 s on one NVIDIA card: trainings whose power shows the iterations, and work whose power
does not. Needs PyTorch with CUDA and the package ergometer. Nothing is set on the card.
"""

import random
import time

import torch
from ergometer import mark

JOB_S = 30


def products(matrix, times):
    for _ in range(times):
        torch.matmul(matrix, matrix)


def paced(seconds, work):
    """How many times `work` fits in `seconds`: iterations are of equal work, not of equal time."""
    work(3)
    torch.cuda.synchronize()
    begin = time.perf_counter()
    work(20)
    torch.cuda.synchronize()
    return max(1, round(seconds * 20 / (time.perf_counter() - begin)))


def main():
    large = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    small = torch.randn(256, 256, device="cuda", dtype=torch.bfloat16)
    weights = torch.zeros(1 << 29, device="cuda")
    draw = random.Random(11)

    def arithmetic(times):
        products(large, times)

    def traffic(times):
        for _ in range(times):
            weights.add_(1e-6)

    def decode(times):
        products(small, 200 * times)

    second = {work: paced(1.0, work) for work in (arithmetic, traffic, decode)}

    def iteration(parts, rest):
        def run():
            for work, seconds in parts:
                work(max(1, round(second[work] * seconds)))
            torch.cuda.synchronize()
            time.sleep(rest())

        return run

    jobs = {
        "train-0.7s": iteration([(arithmetic, 0.5), (traffic, 0.12)], lambda: 0.08),
        "train-1.5s": iteration([(arithmetic, 1.2), (traffic, 0.2)], lambda: 0.1),
        "prompt-and-decode-1.1s": iteration([(arithmetic, 0.3), (decode, 0.8)], lambda: 0.0),
        "loader-waits-0.9s": iteration([(arithmetic, 0.6)], lambda: max(0.0, draw.gauss(0.3, 0.02))),
        "fast-0.06s": iteration([(arithmetic, 0.05)], lambda: 0.01),
        "uneven": iteration([(arithmetic, 0.3)], lambda: draw.expovariate(1 / 0.4)),
        "steady": iteration([(arithmetic, 0.5)], lambda: 0.0),
    }
    for name, run in jobs.items():
        with mark.window(name):
            end = time.monotonic() + JOB_S
            while time.monotonic() < end:
                with mark.window("step"):
                    run()
        time.sleep(1)


if __name__ == "__main__":
    main()
