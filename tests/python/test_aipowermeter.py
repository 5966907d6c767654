"""AIPowerMeter's interface: scripts written against it run with only their import line changed."""
import json
import pathlib
import re
import statistics
import subprocess
import unittest
from datetime import datetime

from python_case import ERGO, HERE, PACKAGE, TORCH_PYTHON, PythonCase, lacks

SEED = HERE.parent.parent.parent / "shared/reference/seed-aipowermeter-benchmark.txt"
LACKS_TORCHVISION = lacks(TORCH_PYTHON, "torch", "torchvision", "numpy")
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


if __name__ == "__main__":
    unittest.main()
