#!/usr/bin/env python3
"""Ergometer beside other monitors for Python: error against the truth, CPU time, start-up time.

usage: bench/peers.py BUILD_FOLDER [PYTHON] [--repeats N] [--windows N] [--aipowermeter CHECKOUT]

BUILD_FOLDER is a Release build with the Python module for this PYTHON (build/ci, or -DERGO_PYTHON=ON). PYTHON has the other
tools: python3 -m venv V; V/bin/pip install -r bench/peers.txt. AIPowerMeter is on no registry: CHECKOUT is its repository
(github.com/GreenAI-Uppa/AIPowerMeter), or any folder with its package deep_learning_power_measure. Without it, it is left out.
Errors: all tools around the same windows in one process, on the same simulated GPU (libergo-sim-nvml.so); the truth is that
between the return of a tool's begin and the call of its end. Costs: each tool in a process of its own, interleaved; the load
is the node's own, so the CPU time of the process and of those it starts is the tool's. What nvidia-smi costs is that of its
stand-in (bench/peers_nvidia_smi.py), measured, too.
"""
import argparse
import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
import traceback

#: name: (preset, load): a counter renewed each 20 ms, one that is renewed each 100 ms and looks a quarter of the time.
NODES = {"V100, square wave": ("v100", "square"), "A100, bursts": ("a100", "bursty")}


def lengths(count):
    """Seconds of each window. Random, since whole multiples of a counter's ticks would favour those who do not ask when it ticked."""
    draw = random.Random(7)
    return [math.exp(draw.uniform(math.log(0.25), math.log(2.5))) for _ in range(count)]



# ---- One tool in one process -------------------------------------------------------------------------------------------

class Nothing:
    """The loop alone."""

    def begin(self):
        pass

    def end(self):
        return float("nan")

    def joules(self, ended):
        """From what `end` returned. Waits, where the tool does."""
        return ended


class Ergometer(Nothing):
    def __init__(self):
        import ergometer

        self.monitor = ergometer.Monitor()

    def begin(self):
        self.key = self.monitor.begin("window")

    def end(self):
        result = self.monitor.end(self.key)
        return next(channel.joules for channel in result.channels if channel.channel == "gpu0")


class Zeus(Nothing):
    def __init__(self):
        from zeus.monitor import ZeusMonitor

        self.monitor = ZeusMonitor(gpu_indices=[0])

    def begin(self):
        self.monitor.begin_window("window", sync_execution=False)

    def end(self):
        return self.monitor.end_window("window", sync_execution=False).gpu_energy[0]


class CodeCarbon(Nothing):
    def __init__(self):
        from codecarbon import OfflineEmissionsTracker

        self.tracker = OfflineEmissionsTracker(country_iso_code="FRA", save_to_file=False, log_level="critical", gpu_ids=[0],
                                               allow_multiple_runs=True)
        self.number = 0

    def begin(self):
        self.number += 1
        self.tracker.start_task(str(self.number))

    def end(self):
        return self.tracker.stop_task(str(self.number)).gpu_energy * 3.6e6


class AIPowerMeter(Nothing):
    """A process records; its records are integrated afterwards. One Experiment for all windows, as in its own examples."""

    def __init__(self, period):
        sys.path.insert(0, os.environ["PEERS_AIPOWERMETER"])
        from deep_learning_power_measure.power_measure import experiment, parsers

        self.library, self.parsers, self.period = experiment, parsers, period
        self.driver = parsers.JsonParser(tempfile.mkdtemp(dir=os.environ["HOME"]))
        self.experiment = experiment.Experiment(self.driver)

    def begin(self):
        self.driver.erase()
        self.process, self.queue = self.experiment.measure_yourself(period=self.period)

    def end(self):
        self.queue.put(self.library.STOP_MESSAGE)

    def joules(self, ended):
        self.process.join()
        results = self.library.ExpResults(self.parsers.JsonParser(self.driver.folder))
        # The second is the word for it of versions before March 2026.
        totals = map(results.total_, ("nvidia_power", "nvidia_draw_absolute"))
        return next(total for total in totals if total is not None)


class PyJoules(Nothing):
    def __init__(self):
        from pyJoules.device.nvidia_device import NvidiaGPUDevice, NvidiaGPUDomain
        from pyJoules.energy_meter import EnergyMeter

        device = NvidiaGPUDevice()
        device.configure([NvidiaGPUDomain(0)])
        self.meter = EnergyMeter([device])

    def begin(self):
        self.meter.start(tag="window")

    def end(self):
        self.meter.stop()
        return sum(self.meter.get_trace()[0].energy.values()) / 1e3


#: AIPowerMeter with the period of its quick start and with that of its example of several phases.
TOOLS = {"nothing": Nothing, "ergometer": Ergometer, "zeus": Zeus, "codecarbon": CodeCarbon, "pyjoules": PyJoules,
         "aipowermeter, 0.1 s": lambda: AIPowerMeter(0.1), "aipowermeter, 2 s": lambda: AIPowerMeter(2)}


def tools():
    return [tool for tool in TOOLS if "PEERS_AIPOWERMETER" in os.environ or not tool.startswith("aipowermeter")]


def cpu_seconds_of_ended():
    """Of this process and its children that have ended: without the search in /proc, which takes milliseconds."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def cpu_seconds():
    """Of this process, its threads, and all its descendants."""
    stats = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = pathlib.Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            stats[int(name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    own, grown = {os.getpid()}, True
    while grown:
        more = {pid for pid, (parent, _) in stats.items() if parent in own} - own
        grown = bool(more)
        own |= more
    others = sum(ticks for pid, (_, ticks) in stats.items() if pid in own and pid != os.getpid())
    return cpu_seconds_of_ended() + others / os.sysconf("SC_CLK_TCK")


def child(tool, windows):
    begin, cpu_before = time.perf_counter(), cpu_seconds_of_ended()
    monitor = TOOLS[tool]()
    ready, cpu_ready = time.perf_counter(), cpu_seconds_of_ended()
    monitor.begin()
    monitor.joules(monitor.end())  # what a tool puts off until its first window belongs to none of those that count
    cpu, wall = cpu_seconds(), time.perf_counter()
    edge_s = 0.0
    for length in lengths(windows):
        a = time.perf_counter()
        monitor.begin()
        b = time.perf_counter()
        time.sleep(length)
        c = time.perf_counter()
        monitor.joules(monitor.end())
        edge_s += b - a + time.perf_counter() - c
    used, lasted = cpu_seconds() - cpu, time.perf_counter() - wall
    print("RESULT " + json.dumps({"cpu": used / lasted, "start": ready - begin, "start_cpu": cpu_ready - cpu_before,
                                  "edges": edge_s / windows}), flush=True)


def stand_in(repeats):
    """What one call of nvidia-smi costs here: a part of the start-up of those that start it."""
    begin, cpu = time.perf_counter(), cpu_seconds_of_ended()
    for _ in range(repeats):
        subprocess.run(["nvidia-smi", "-q", "-x"], check=True, stdout=subprocess.DEVNULL)
    wall, used = time.perf_counter() - begin, cpu_seconds_of_ended() - cpu
    print("RESULT " + json.dumps({"wall": wall / repeats, "cpu": used / repeats}), flush=True)


def together(windows):
    """All tools around the same windows."""
    monitors = {tool: TOOLS[tool]() for tool in tools() if tool != "nothing"}
    for monitor in monitors.values():
        monitor.begin()
        monitor.joules(monitor.end())
    stamps = {tool: [] for tool in monitors}
    for i, length in enumerate(lengths(windows)):
        order = list(monitors)[i % len(monitors):] + list(monitors)[:i % len(monitors)]
        first, ended = {}, {}
        for tool in order:
            monitors[tool].begin()
            first[tool] = time.monotonic_ns()
        time.sleep(length)
        for tool in reversed(order):
            last = time.monotonic_ns()
            ended[tool] = (first[tool], last, monitors[tool].end())
        # Apart, so that one that waits does not lengthen the windows of the others.
        for tool, (begun, last, value) in ended.items():
            stamps[tool].append((begun, last, monitors[tool].joules(value)))
    errors = {tool: [relative_error(*stamp) for stamp in found] for tool, found in stamps.items()}
    print("RESULT " + json.dumps(errors), flush=True)


def relative_error(first, last, joules):
    words = [os.environ["PEERS_SIM"], "truth", "--from-ns", str(first), "--to-ns", str(last), "--json"]
    truth = gpu_joules(json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout))
    return (joules - truth) / truth


def gpu_joules(truth):
    """From what `ergo-sim truth --json` prints."""
    return next(energy["joules"] for energy in truth["energy"] if energy["channel"] == "gpu0")


# ---- All of them ---------------------------------------------------------------------------------------------------------

def as_child(what, windows):
    try:
        if what == "together":
            together(windows)
        elif what == "nvidia-smi":
            stand_in(windows)
        else:
            child(what, windows)
    except Exception:
        traceback.print_exc()
        import multiprocessing  # here, so that a tool that needs it pays for it

        for process in multiprocessing.active_children():
            process.kill()
    sys.stderr.flush()
    os._exit(0)


def run(tool, node, seed, build, python, windows, folder):
    preset, load = NODES[node]
    environment = dict(os.environ)
    environment.update(PYTHONPATH=str(build / "share/ergo/python"), LD_LIBRARY_PATH=str(folder),
                       PATH=f"{folder}:{os.environ['PATH']}",
                       PEERS_SIM=str(build / "bin/ergo-sim"), CODECARBON_ALLOW_MULTIPLE_RUNS="True", HOME=str(folder))
    words = [str(build / "bin/ergo-sim"), "env", "--gpus", preset, "--load", load, "--gain", "exact", "--seed", str(seed),
             "--packages", "0", "--", python, __file__, "--child", tool, "--windows", str(windows)]
    done = subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True, timeout=120 + 8 * windows)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line[len("RESULT "):])
    lines = (done.stderr or done.stdout).strip().splitlines()
    return {"failed": lines[-1] if lines else f"exit code {done.returncode}"}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("build", nargs="?")
    options.add_argument("python", nargs="?", default=sys.executable)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--windows", type=int, default=60, help="for errors; costs take a fifth of them")
    options.add_argument("--aipowermeter", metavar="CHECKOUT", help="folder with its package")
    options.add_argument("--child")
    given = options.parse_args()
    if given.child:
        as_child(given.child, given.windows)
    if not given.build:
        options.error("BUILD_FOLDER is missing")
    build = pathlib.Path(given.build).resolve()
    if not list((build / "share/ergo/python/ergometer").glob("_core.*.so")):
        options.error(f"{build} has no Python module: configure it with -DERGO_PYTHON=ON")
    os.environ.pop("PEERS_AIPOWERMETER", None)
    if given.aipowermeter:
        checkout = pathlib.Path(given.aipowermeter).resolve()
        if not (checkout / "deep_learning_power_measure").is_dir():
            options.error(f"{checkout} has no folder deep_learning_power_measure")
        os.environ["PEERS_AIPOWERMETER"] = str(checkout)
    else:
        print("AIPowerMeter is left out: no --aipowermeter CHECKOUT")
    with tempfile.TemporaryDirectory(prefix="ergo-peers.") as name:
        folder = pathlib.Path(name)
        (folder / "libnvidia-ml.so.1").symlink_to(next((build / "lib").glob("libergo-sim-nvml.so")))
        (folder / "nvidia-smi").symlink_to(pathlib.Path(__file__).resolve().with_name("peers_nvidia_smi.py"))
        cost = run("nvidia-smi", next(iter(NODES)), 1, build, given.python, 20, folder)
        if "failed" in cost:
            sys.exit(f"the stand-in for nvidia-smi failed: {cost['failed']}")
        print(f"one call of the stand-in for nvidia-smi: {cost['wall'] * 1e3:.0f} ms, {cost['cpu'] * 1e3:.0f} ms of CPU time")
        for node in NODES:
            results = {tool: [] for tool in tools()}
            for repeat in range(given.repeats):
                for tool in results:
                    results[tool].append(run(tool, node, repeat + 1, build, given.python, max(given.windows // 5, 4), folder))
            errors = [run("together", node, repeat + 1, build, given.python, given.windows, folder)
                      for repeat in range(given.repeats)]
            report(node, results, errors)


def report(node, results, together_runs):
    print(f"\n{node}\n\n| | median error | largest error | CPU, % of a core | start-up | its CPU time | both edges of a window |")
    print("|---|---|---|---|---|---|---|")
    for failure in (r["failed"] for r in together_runs if "failed" in r):
        print(f"a run for errors failed: {failure}", file=sys.stderr)
    for tool, runs in results.items():
        good = [r for r in runs if "failed" not in r]
        if not good:
            print(f"| {tool} | failed: {runs[0]['failed']} | | | | | |")
            continue
        errors = [abs(e) for r in together_runs for e in r.get(tool, [])]
        error = (f"{100 * statistics.median(errors):.2f} %", f"{100 * max(errors):.1f} %") if errors else ("", "")

        def middle(key, scale):
            return statistics.median(r[key] for r in good) * scale

        print(f"| {tool} | {error[0]} | {error[1]} | {middle('cpu', 100):.2f} | {middle('start', 1e3):.0f} ms | "
              f"{middle('start_cpu', 1e3):.0f} ms | {middle('edges', 1e3):.2f} ms |", flush=True)


if __name__ == "__main__":
    main()
