"""AIPowerMeter's interface: scripts written against it run with only their import line changed."""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import unittest
from datetime import datetime

from python_case import BINARIES, ERGO, HERE, PACKAGE, TORCH_PYTHON, PythonCase, lacks

SEED = HERE.parent.parent.parent / "shared/reference/seed-aipowermeter-benchmark.txt"
LACKS_TORCHVISION = lacks(TORCH_PYTHON, "torch", "torchvision", "numpy")
#: A checkout of AIPowerMeter, which is on no registry.
PUBLISHED = os.environ.get("ERGO_AIPOWERMETER", "")
OLD_IMPORT = "from deep_learning_power_measure.power_measure import experiment, parsers"
NEW_IMPORT = "from ergometer.aipowermeter import experiment, parsers"


class RecordCase(PythonCase):
    def setUp(self):
        super().setUp()
        self.environment.update(PYTHONPATH=str(PACKAGE))

    def simulated(self, script, python=None):
        words = [ERGO, "--sim", "v100", "run", "--quiet", "--no-hooks", "--", python or self.python, str(script)]
        done = subprocess.run(words, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def records(self, folder):
        lines = (self.folder / folder / "power_metrics.json").read_text().splitlines()
        return [json.loads(line) for line in lines]


class Records(RecordCase):
    SCRIPT = """
        import time
        from ergometer.aipowermeter import experiment, parsers
        driver = parsers.JsonParser("out")
        exp = experiment.Experiment(driver)
        p, q = exp.measure_yourself(period=0.2)
        print(p.is_alive())
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            sum(range(1000))
        q.put(experiment.STOP_MESSAGE)
        p.join()
        print(p.is_alive(), p.exitcode)
    """

    def test_a_gpu_has_powers_in_the_layout(self):
        done = self.simulated(self.script(self.SCRIPT))
        self.assertEqual(done.stdout, "True\nFalse 0\n")
        *records, last = self.records("out")
        self.assertEqual(last, "END OF RECORDING SEGMENT")
        self.assertGreaterEqual(len(records), 2)
        dates = [datetime.fromisoformat(record["date"]) for record in records]
        self.assertEqual(dates, sorted(dates))
        for record in records:
            gpu, cpu = record["metrics"]["gpu"], record["metrics"]["cpu"]
            self.assertGreater(gpu["nvidia_power"], 0)
            self.assertAlmostEqual(gpu["nvidia_power"], sum(gpu["per_gpu_nvidia_power"].values()))
            self.assertEqual(cpu["psys_power"], -1)
            self.assertTrue(all(0 <= share <= 1 for share in cpu["per_process_cpu_uses"].values()))
            self.assertGreater(cpu["intel_power"], 0)
            for pid, share in cpu["per_process_cpu_uses"].items():
                self.assertAlmostEqual(cpu["rel_intel_power"][pid], share * cpu["intel_power"])
        used = sum(sum(record["metrics"]["cpu"]["absolute_cpu_time_per_pid"].values()) for record in records)
        self.assertGreater(used, 0.05)
        self.assertIn("date", json.loads((self.folder / "out/metadata.json").read_text()))

    def test_ergo_imports_the_folder(self):
        self.simulated(self.script(self.SCRIPT))
        done = self.ergo("import", "out", "--store", "s.db")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_nothing_to_measure_is_a_warning_and_no_powers(self):
        done = self.plain(self.script(self.SCRIPT))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"ergo sensors", done.stderr)
        *records, last = self.records("out")
        self.assertEqual(last, "END OF RECORDING SEGMENT")
        self.assertTrue(all("gpu" not in r["metrics"] and "intel_power" not in r["metrics"]["cpu"] for r in records))

    def test_the_recorder_ends_with_a_program_that_crashes(self):
        script = self.script("""
            from ergometer.aipowermeter import experiment, parsers
            p, q = experiment.Experiment(parsers.JsonParser("out")).measure_yourself(period=0.2)
            print(p.pid, flush=True)
            raise SystemError("crash")
        """)
        done = self.plain(script)
        self.assertEqual(done.returncode, 1)
        pid = int(done.stdout)
        self.wait_for(lambda: not pathlib.Path(f"/proc/{pid}/stat").exists()
                      or pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z",
                      "the recorder's end")
        self.assertEqual(self.records("out")[-1], "END OF RECORDING SEGMENT")

    def test_a_new_experiment_erases_and_cont_appends(self):
        script = self.script("""
            import os
            from ergometer.aipowermeter import experiment, parsers
            def record(cont):
                p, q = experiment.Experiment(parsers.JsonParser("out"), cont=cont).measure_yourself(period=0.1)
                q.put(experiment.STOP_MESSAGE)
                return open("out/power_metrics.json").read().count("END OF")
            record(False)
            open("out/notes.txt", "w").close()
            print(record(False), record(True), os.path.exists("out/notes.txt"))
        """)
        done = self.plain(script)
        self.assertEqual(done.stdout, b"1 2 True\n", done.stderr)


def seed_script():
    """The code of the seed document's AlexNet study, with the last statements of its loop indented as they were meant."""
    text = SEED.read_text()
    parts = []
    for begin, end in (("import time, os\n", "\n\nWe then load"), ("#load your favorite model", "\n\nWe then prepare"),
                       ("#resolution size list", "\n\nWe then start"), ("#start of the experiments\nfor", "\n\nWe then run")):
        start = text.index(begin)
        parts.append(text[start:text.index(end, start)])
    return "\n".join(parts) + "\n"


class AipowermeterReader:
    """AIPowerMeter's own package is on no registry. This reader is written from the description of its format and formulas
    (main of March 2026) alone, and shares nothing with the writer."""

    SEGMENT_END = "END OF RECORDING SEGMENT"
    CPU = ("per_process_cpu_uses", "absolute_cpu_time_per_pid", "per_process_mem_use_abs", "per_process_mem_use_percent",
           "per_process_mem_use_uss", "total_mem_use", "psys_power")

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.segments = [[]]
        for line in (self.folder / "power_metrics.json").read_text().splitlines():
            record = json.loads(line)
            if record == self.SEGMENT_END:
                self.segments.append([])
                continue
            assert set(record) == {"date", "metrics"}, record
            date = datetime.strptime(record["date"], "%Y-%m-%d %H:%M:%S.%f")
            self.check(record["metrics"])
            self.segments[-1].append((date, record["metrics"]))
        assert self.segments.pop() == [], "the recording is not closed"

    def check(self, metrics):
        cpu = metrics["cpu"]
        for key in self.CPU:
            assert key in cpu, key
        for key in self.CPU[:5]:
            assert all(pid.isdigit() for pid in cpu[key]), key  # pids are texts
        assert cpu["psys_power"] == -1 or cpu["psys_power"] >= 0
        for key in ("intel_power", "total_dram_power", "total_cpu_power", "uncore_power"):
            assert key not in cpu or isinstance(cpu[key], float) and cpu[key] >= 0, key
        gpu = metrics.get("gpu")
        if gpu is not None:
            assert all(index.isdigit() for index in gpu["per_gpu_nvidia_power"])
            assert abs(gpu["nvidia_power"] - sum(gpu["per_gpu_nvidia_power"].values())) < 1e-6
            rates = gpu["per_gpu_nvidia_use_rate"]
            assert set(rates) == set(gpu["per_gpu_nvidia_memory"]) == set(gpu["per_gpu_nvidia_power"])
            assert all(0 <= rate <= 100 for rate in rates.values())
            assert abs(gpu["nvidia_memory"] - sum(gpu["per_gpu_nvidia_memory"].values())) < 1
            assert abs(gpu["nvidia_use_rate"] - statistics.fmean(rates.values())) < 1e-6

    def curve(self, part, name, segment=0):
        return [(date, metrics[part][name]) for date, metrics in self.segments[segment]]

    def total(self, part, name):
        """Its ExpResults.total_: trapezoids between records."""
        points = self.curve(part, name)
        return sum((b[0] - a[0]).total_seconds() * (a[1] + b[1]) / 2 for a, b in zip(points, points[1:]))

    def per_inference(self, part, name):
        """Its concat_power_measure: the median trapezoid, times their number, over the inferences of latency.csv."""
        points = self.curve(part, name)
        pieces = [(b[0] - a[0]).total_seconds() * (a[1] + b[1]) / 2 for a, b in zip(points, points[1:])]
        return statistics.median(pieces) * (len(points) - 1) / len(self.latencies())

    def latencies(self):
        return [float(line) for line in (self.folder / "latency.csv").read_text().split()]


class Readers(RecordCase):
    SCRIPT = """
        import time
        from ergometer.aipowermeter import experiment, parsers
        p, q = experiment.Experiment(parsers.JsonParser("out")).measure_yourself(period=0.25)
        time.sleep(3)
        q.put(experiment.STOP_MESSAGE)
        with open("out/latency.csv", "w") as file:
            file.writelines("0.5\\n" for _ in range(6))
    """

    def test_a_reader_written_from_the_format_gets_the_energy(self):
        self.simulated(self.script(self.SCRIPT))
        reader = AipowermeterReader(self.folder / "out")
        self.assertEqual(len(reader.segments), 1)
        points = reader.curve("gpu", "nvidia_power")
        span = (points[-1][0] - points[0][0]).total_seconds()
        watts = statistics.fmean(power for _, power in points)
        # An idle simulated card draws the same all the time: whatever way of adding up gives that power.
        self.assertAlmostEqual(reader.total("gpu", "nvidia_power") / (watts * span), 1, delta=0.05)
        self.assertAlmostEqual(reader.per_inference("gpu", "nvidia_power") * 6 / (watts * span), 1, delta=0.1)
        self.assertTrue(35 < watts < 50, watts)
        self.assertGreater(reader.total("cpu", "intel_power"), 0)


#: Loads folders with AIPowerMeter's own reader and prints its summaries. What only its recorder and its plots need may be
#: missing: the reader uses none of it.
PUBLISHED_READER = """
    import contextlib, importlib, io, json, sys, types
    checkout, *folders = sys.argv[1:]
    sys.path.insert(0, checkout)
    for name in ("matplotlib", "matplotlib.pyplot", "matplotlib.dates", "psutil"):
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = types.ModuleType(name)
    from deep_learning_power_measure.power_measure import experiment, parsers
    found = []
    for folder in folders:
        results = experiment.ExpResults(parsers.JsonParser(folder))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            results.print()
        found.append([results.get_summary(), len(results.segments), printed.getvalue()])
    print(json.dumps(found))
"""


@unittest.skipUnless(PUBLISHED, "ERGO_AIPOWERMETER does not name a checkout of github.com/GreenAI-Uppa/AIPowerMeter")
@unittest.skipIf(lacks(sys.executable, "numpy", "pandas"), lacks(sys.executable, "numpy", "pandas"))
class PublishedReader(RecordCase):
    """AIPowerMeter's ExpResults on folders of this package, of `ergo run` and of `ergo export`."""

    NODES = {"gpu": ("v100", 0), "cpu": ("none", 1), "both": ("v100,t4", 2)}
    RECORD = """
        import sys, time
        from ergometer.aipowermeter import experiment, parsers
        for part in range(2):
            exp = experiment.Experiment(parsers.JsonParser(sys.argv[1]), cont=part > 0)
            p, q = exp.measure_yourself(period=0.2)
            time.sleep(1.2)
            q.put(experiment.STOP_MESSAGE)
            p.join()
    """

    def on_node(self, node, *words):
        gpus, packages = self.NODES[node]
        begin = [BINARIES / "ergo-sim", "env", "--gpus", gpus, "--packages", packages, "--gain", "exact", "--"]
        environment = {name: value for name, value in self.environment.items() if name not in ("ERGO_SYSFS", "ERGO_NVML")}
        done = subprocess.run(list(map(str, (*begin, *words))), env=environment, cwd=self.folder, capture_output=True, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)

    def read(self, *folders):
        done = self.plain(self.script(PUBLISHED_READER, "reader.py"), PUBLISHED, *folders)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return json.loads(done.stdout)

    def own_mean(self, folder, part, name):
        values = [r["metrics"][part][name] for r in self.records(folder) if isinstance(r, dict)]
        return statistics.fmean(values)

    def assert_read(self, node, folder, summary, text):
        """Idle simulated devices draw the same all the time: power x duration is the energy, whatever way it is added up."""
        self.assertEqual("gpu" in summary, node != "cpu")
        if node != "cpu":
            watts = self.own_mean(folder, "gpu", "nvidia_power")
            self.assertAlmostEqual(summary["gpu"]["nvidia_power"] / summary["duration"] / watts, 1, delta=0.1)
            boards = {"gpu": ["0"], "both": ["0", "1"]}[node]
            self.assertEqual(sorted(summary["gpu"]["per_gpu_power"]), boards)
            self.assertAlmostEqual(sum(summary["gpu"]["per_gpu_power"].values()), summary["gpu"]["nvidia_power"], places=6)
            self.assertIn("nvidia total consumption", text)
        if node != "gpu":
            watts = self.own_mean(folder, "cpu", "intel_power")
            self.assertAlmostEqual(summary["cpu"]["total_intel_power"] / summary["duration"] / watts, 1, delta=0.1)
            self.assertGreater(summary["cpu"]["mem_use_uss"], 0)
            self.assertGreater(summary["cpu"]["max_total_mem_use"], summary["cpu"]["mem_use_abs"])
            self.assertIn("Total RAM consumption", text)

    def test_it_reads_what_the_package_records(self):
        script = self.script(self.RECORD)
        for node in self.NODES:
            self.on_node(node, self.python, script, node)
        for node, (summary, segments, text) in zip(self.NODES, self.read(*self.NODES)):
            with self.subTest(node):
                self.assert_read(node, node, summary, text)
                self.assertEqual(segments, 1)  # it counts the stops before the last one

    def test_it_reads_what_ergo_run_and_ergo_export_write(self):
        folders = []
        for node in self.NODES:
            run = ("run", "--quiet", "--no-hooks", "--period", "50ms", "--store", node + ".db", "--aipowermeter", node)
            self.on_node(node, ERGO, *run, "--", "sleep", "1.2")
            done = self.ergo("export", node + ".db", "--format", "aipowermeter", "-o", node + ".exported")
            self.assertEqual(done.returncode, 0, done.stderr)
            folders += [(node, node), (node, node + ".exported")]
        for (node, folder), (summary, segments, text) in zip(folders, self.read(*(folder for _, folder in folders))):
            with self.subTest(folder):
                self.assert_read(node, folder, summary, text)
                self.assertEqual(segments, 0)


class SeedScript(RecordCase):
    @unittest.skipUnless(SEED.exists(), "the seed document is not beside this checkout")
    @unittest.skipIf(LACKS_TORCHVISION, LACKS_TORCHVISION)
    def test_the_alexnet_study_runs_with_its_import_changed(self):
        text = seed_script()
        self.assertIn(OLD_IMPORT, text)
        text = text.replace(OLD_IMPORT, NEW_IMPORT)
        # Its length only: two sizes, two runs, ten inferences.
        text = text.replace("range(20)", "range(2)").replace("xps = 10", "xps = 2").replace("int(40000/(u+1))", "10")
        # pretrained=True downloads weights, unless they are in the cache: random ones of the same shape are.
        self.environment.update(TORCH_HOME=str(self.folder / "torch"), OMP_NUM_THREADS="2")
        done = subprocess.run([TORCH_PYTHON, "-c", "import os, torch, torchvision.models as m\n"
                               "folder = os.environ['TORCH_HOME'] + '/hub/checkpoints'; os.makedirs(folder)\n"
                               "name = m.AlexNet_Weights.IMAGENET1K_V1.url.rsplit('/', 1)[1]\n"
                               "torch.save(m.alexnet().state_dict(), folder + '/' + name)"],
                              env=self.environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        script = self.folder / "seed.py"
        script.write_text(text)
        done = self.simulated(script, TORCH_PYTHON)
        self.assertEqual(len(re.findall("power measuring stopped", done.stdout)), 4)
        for size in (112, 224):
            for run in (0, 1):
                folder = f"input_{size}/run_{run}"
                reader = AipowermeterReader(self.folder / folder)
                self.assertEqual(len(reader.latencies()), 10)
                self.assertGreater(reader.curve("gpu", "nvidia_power")[0][1], 0)
        if PUBLISHED:
            folders = [f"input_{size}/run_{run}" for size in (112, 224) for run in (0, 1)]
            done = self.plain(self.script(PUBLISHED_READER, "reader.py"), PUBLISHED, *folders)
            self.assertEqual(done.returncode, 0, done.stderr.decode())
            self.assertEqual([summary["duration"] >= 0 for summary, _, _ in json.loads(done.stdout)], [True] * 4)


if __name__ == "__main__":
    unittest.main()
