"""AIPowerMeter's interface: scripts written against it run with only their import line changed."""
import json
import pathlib
import re
import subprocess
import unittest
from datetime import datetime

from python_case import ERGO, HERE, LIBRARY, PACKAGE, PythonCase

SEED = HERE.parent.parent.parent / "shared/reference/seed-aipowermeter-benchmark.txt"
TORCH_PYTHON = "/usr/bin/python3"
OLD_IMPORT = "from deep_learning_power_measure.power_measure import experiment, parsers"
NEW_IMPORT = "from ergometer.aipowermeter import experiment, parsers"


class RecordCase(PythonCase):
    def setUp(self):
        super().setUp()
        self.environment.update(PYTHONPATH=str(PACKAGE), ERGO_LIBRARY=str(LIBRARY))

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


class SeedScript(RecordCase):
    @unittest.skipUnless(SEED.exists(), "the seed document is not beside this checkout")
    @unittest.skipUnless(pathlib.Path(TORCH_PYTHON).exists()
                         and subprocess.run([TORCH_PYTHON, "-c", "import torch, numpy"], capture_output=True).returncode == 0,
                         "/usr/bin/python3 has no torch (Debian: python3-torch)")
    def test_the_alexnet_study_runs_with_its_import_changed(self):
        text = seed_script()
        self.assertIn(OLD_IMPORT, text)
        text = text.replace(OLD_IMPORT, NEW_IMPORT)
        # Its length only: two sizes, two runs, ten inferences.
        text = text.replace("range(20)", "range(2)").replace("xps = 10", "xps = 2").replace("int(40000/(u+1))", "10")
        # torchvision is no package of the tests: a small network takes AlexNet's place.
        self.script("", "torchvision/__init__.py")
        self.script("""
            import torch
            def alexnet(pretrained=False):
                return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 11, stride=4), torch.nn.AdaptiveAvgPool2d(1))
        """, "torchvision/models.py")
        script = self.folder / "seed.py"
        script.write_text(text)
        self.environment["PYTHONPATH"] = f"{PACKAGE}:{self.folder}"
        done = self.simulated(script, TORCH_PYTHON)
        self.assertEqual(len(re.findall("power measuring stopped", done.stdout)), 4)
        for size in (112, 224):
            for run in (0, 1):
                folder = f"input_{size}/run_{run}"
                *records, last = self.records(folder)
                self.assertEqual(last, "END OF RECORDING SEGMENT")
                self.assertGreater(records[0]["metrics"]["gpu"]["nvidia_power"], 0)
                self.assertEqual(len((self.folder / folder / "latency.csv").read_text().split()), 10)


if __name__ == "__main__":
    unittest.main()
