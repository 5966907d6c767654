#!/usr/bin/env python3
"""What `ergo run` adds to a command that does nothing, beside other wrappers, interleaved in one run.

usage: bench/run_overhead.py BUILD_FOLDER [REPEATS]

Beside the wall clock, which on a busy machine tells mostly how long each wakes up, the CPU time of the wrapper and all
its children (user and system).
"""
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    ergo = os.path.join(sys.argv[1], "bin", "ergo")
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    wrappers = {
        "plain exec": ["true"],
        "/usr/bin/time": ["/usr/bin/time", "true"],
        "perf stat": ["perf", "stat", "-e", "task-clock", "true"],
        "ergo run": [ergo, "run", "--", "true"],
        "ergo run --quiet": [ergo, "run", "--quiet", "--", "true"],
    }
    wrappers = {name: words for name, words in wrappers.items() if shutil.which(words[0])}
    seconds = {name: [] for name in wrappers}
    cpu = {name: [] for name in wrappers}
    for _ in range(repeats):
        for name, words in wrappers.items():
            cpu_before = cpu_of_children()
            begin = time.perf_counter()
            code = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
            seconds[name].append(time.perf_counter() - begin)
            cpu[name].append(cpu_of_children() - cpu_before)
            if code != 0:
                del seconds[name]
                wrappers = {n: w for n, w in wrappers.items() if n != name}
                print(f"{name}: exit code {code}, left out")
                break
    plain = statistics.median(seconds["plain exec"])
    print(f"{'wrapper':18}  {'median ms':>9}  {'added ms':>8}  {'quartiles ms':>15}  {'CPU ms':>7}")
    for name, values in seconds.items():
        low, middle, high = (1e3 * q for q in statistics.quantiles(values, n=4))
        print(f"{name:18}  {middle:9.2f}  {middle - 1e3 * plain:8.2f}  {low:7.2f}{high:8.2f}"
              f"  {1e3 * statistics.median(cpu[name]):7.2f}")


if __name__ == "__main__":
    main()
