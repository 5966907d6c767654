"""Power limits as an axis of `ergo sweep`, and what `advise`, `predict` and `evaluate` make of its store."""
import csv
import io
import json
import os
import signal
import subprocess
import unittest

from ergo_case import BINARIES
from limits_case import RIVAL, LimitsCase

WORKLOAD = str(BINARIES / "ergo-workload")


def synthetic(compute, memory, iterations=12, memory_bound=0.2):
    return [WORKLOAD, "synthetic", "--compute", str(compute), "--memory", str(memory), "--memory-bound",
            str(memory_bound), "--iterations", str(iterations), "--iteration-time", "50ms"]


class SweepCase(LimitsCase):
    def sweep(self, *words, **keywords):
        return self.ergo("sweep", "--store", "s.db", "--period", "20ms", *words, **keywords)

    def export(self, form="csv"):
        done = self.ergo("export", "s.db", "--format", form)
        self.assertEqual(done.returncode, 0, done.stderr)
        return list(csv.DictReader(io.StringIO(done.stdout)))


class Axis(SweepCase):
    def test_each_limit_is_enforced_recorded_and_put_back(self):
        done = self.sweep("--power-limits", "150,200..300:100", "-r", "2", "--", *synthetic(0.9, 0.4))
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = self.export()
        self.assertEqual(sorted(float(r["power_limit_w"]) for r in rows), [150, 150, 200, 200, 300, 300])
        self.assertEqual({r["status"] for r in rows}, {"done"})
        time = {w: min(float(r["time_s"]) for r in rows if float(r["power_limit_w"]) == w) for w in (150, 300)}
        self.assertGreater(time[150], 1.1 * time[300], "the limit slows this work")
        self.assertEqual(self.limit(), 300)
        self.assertEqual(self.saved(), [])

    def test_it_says_whether_the_limit_was_binding(self):
        self.sweep("--power-limits", "150,300", "--", *synthetic(0.9, 0.4, 40))
        share = {float(r["power_limit_w"]): float(r["power_capped"]) for r in self.export()}
        self.assertGreater(share[150], 0.5)
        self.assertEqual(share[300], 0)
        done = self.sweep("--power-limits", "150,300", "--", *synthetic(0.9, 0.4, 40))  # resumed: only the table
        low, high = (next(line for line in done.stderr.splitlines() if f"power_limit_w={w}" in line)
                     for w in (150, 300))
        self.assertIn("% of time", low)
        self.assertIn(" no ", high)

    def test_all_covers_what_the_card_allows_in_a_random_order(self):
        done = self.ergo("sweep", "--power-limits", "all", "--dry-run", "--store", "none.db", "--", "true")
        self.assertEqual(done.returncode, 0, done.stderr)
        order = [line.split("=")[1].split()[0] for line in done.stdout.splitlines() if "=" in line]
        self.assertEqual(sorted(order, key=float), ["150", "175", "200", "225", "250", "275", "300"])
        self.assertNotEqual(order, sorted(order, key=float))
        self.assertIn("gpu0: found 300 W, to which it would return after each run", done.stdout)
        self.assertEqual(self.limit(), 300)

    def test_a_limit_that_no_card_allows_is_refused_before_anything_runs(self):
        for text, word in (("100,200", "150 to 300 W"), ("nonsense", "--power-limits"), ("all:1", "all:5")):
            done = self.sweep("--power-limits", text, "--", "touch", "ran")
            self.assertEqual(done.returncode, 125)
            self.assertIn(word, done.stderr)
            self.assertFalse((self.folder / "ran").exists())

    def test_an_empty_text_is_no_axis_that_is_left_out(self):
        for words in (("sweep", "--store", "s.db"), ("study", "power-limits", "--quick")):
            done = self.ergo(*words, "--power-limits", "", "--dry-run", "--", "true")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("--power-limits: names no limit", done.stderr)

    def test_without_a_gpu_it_says_why(self):
        self.environment["ERGO_NVML"] = "/nonexistent/libnvidia-ml.so"
        done = self.sweep("--power-limits", "all", "--", "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("/nonexistent/libnvidia-ml.so", done.stderr)

    def test_signals_and_kills_leave_the_limit_found_and_the_sweep_goes_on(self):
        command = ["sweep", "--store", "s.db", "--power-limits", "160,180", "--", "sh", "-c",
                   "echo >> log; [ -e fast ] || sleep 60"]
        for number, group in ((signal.SIGKILL, True), (signal.SIGKILL, False), (signal.SIGTERM, False)):
            with self.subTest(signal=number, group=group):
                (self.folder / "log").unlink(missing_ok=True)
                process = self.start(*command, start_new_session=True)
                self.ends_and_leaves_the_limit_found(
                    process, number, group,
                    lambda: (self.folder / "log").exists() and self.limit() in (160, 180), "the command under a limit")
        (self.folder / "fast").touch()
        self.assertEqual(self.ergo(*command).returncode, 0)
        done = {r["power_limit_w"] for r in self.export() if r["status"] == "done"}
        self.assertEqual(done, {"160", "180"})


class Denied(SweepCase):
    node_options = ("--permission", "denied")

    def test_without_the_right_nothing_runs(self):
        for words in (("sweep", "--store", "s.db", "--power-limits", "160,180", "--", "touch", "ran"),
                      ("study", "power-limits", "--quick", "-o", "out")):
            done = self.ergo(*words)
            self.assertEqual(done.returncode, 125, done.stderr)
            self.assertIn("power limits cannot be set", done.stderr)
            self.assertIn("sudo ergo" if os.geteuid() else "container", done.stderr)
            self.assertNotIn("next:", done.stderr)
        self.assertFalse((self.folder / "ran").exists())
        self.assertEqual(self.saved(), [])

    def test_what_is_measured_already_is_shown_without_it(self):
        command = ("sweep", "--store", "s.db", "--power-limits", "160,180", "--", "true")
        allowed = subprocess.run([BINARIES / "ergo-sim", "env", "--gpus", "v100", "--", BINARIES / "ergo", *command],
                                 cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(allowed.returncode, 0, allowed.stderr)
        done = self.ergo(*command)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("power_limit_w=160", done.stderr)
        self.assertIn("next: ergo advise s.db", done.stderr)


class Two(SweepCase):
    models = "v100,v100"

    def test_the_limit_stands_on_every_chosen_gpu(self):
        probe = [str(BINARIES / "ergo"), "limits", "show", "--json"]
        done = self.sweep("--power-limits", "200", "--", *probe)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([g["set_w"] for g in json.loads(done.stdout)["gpus"]], [200, 200])
        done = self.ergo("sweep", "--store", "t.db", "--gpus", "1", "--power-limits", "200", "--", *probe)
        self.assertEqual([g["set_w"] for g in json.loads(done.stdout)["gpus"]], [300, 200])
        self.assertEqual(self.limits(), [300, 300])


class Mixed(SweepCase):
    models = "v100,t4"

    def test_gpus_without_a_common_range_are_measured_one_by_one(self):
        done = self.sweep("--power-limits", "all", "--", "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("--gpus 0", done.stderr)
        done = self.ergo("tune", "--", "touch", "ran")
        self.assertEqual(done.returncode, 125)
        self.assertIn("--gpus 0", done.stderr)
        self.assertNotIn("limits set", done.stderr, "they have no limit in common")
        done = self.ergo("sweep", "--dry-run", "--store", "n.db", "--gpus", "1", "--power-limits", "all", "--", "true")
        self.assertIn("power_limit_w=60", done.stdout)


@unittest.skipIf(os.environ.get("ERGO_SANITIZED"), "a plain Python cannot load a library built with a sanitizer")
class Rivals(SweepCase):
    def test_a_limit_that_another_program_changes_makes_the_cell_invalid(self):
        done = self.sweep("-p", "kind=rival,quiet", "--power-limits", "180", "--", "python3", "-c", RIVAL.format("'{kind}' == 'rival'"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("from 180 W to 222 W", done.stderr)
        self.assertEqual({r["kind"]: r["status"] for r in self.export()}, {"rival": "invalid", "quiet": "done"})
        self.assertIn("1 invalid", done.stderr)
        self.assertEqual([r["config"] for r in self.export("sweep")], ["kind=quiet"], "models do not learn it")
        report = self.ergo("report", "s.db", "--format", "md", "-o", "-").stdout
        self.assertIn("another program changed the power limit from 180 W to 222 W", report)
        self.assertEqual(self.limit(), 300)


class Clamped(SweepCase):
    node_options = ("--external-limit", "0@210")

    def test_another_limiter_makes_the_cell_invalid(self):
        done = self.sweep("--power-limits", "180,250", "--", "true")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual({r["power_limit_w"]: r["status"] for r in self.export()}, {"180": "done", "210": "invalid"})
        self.assertIn("another limiter enforces 210 W", done.stderr)


class Study(SweepCase):
    models = "v100,t4"

    def test_power_limits_runs_on_each_gpu_and_reports_them_side_by_side(self):
        done = self.ergo("study", "power-limits", "--quick", "--gpus", "0", "--power-limits", "all:3", "-o", "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = (self.folder / "out/limits.md").read_text()
        for word in ("Saving at the best limit", "workload left out", "gpyjoules", "bandwidth", "simulated"):
            self.assertIn(word, report)
        page = (self.folder / "out/limits.html").read_text()
        self.assertIn("<svg", page)
        self.assertNotIn("http", page)
        self.assertTrue((self.folder / "out/gpu0/report.html").exists())
        rows = list(csv.DictReader(io.StringIO((self.folder / "out/sweep.csv").read_text())))
        self.assertEqual(len(rows), 15)
        self.assertEqual({r["workload"] for r in rows}, {"dense", "convolution", "attention", "bandwidth", "light"})
        done = self.ergo("study", "power-limits", "--quick", "--gpus", "1", "--power-limits", "60,70", "-o", "out",
                         "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("gpu1: found 70 W, to which it would return after each run", done.stdout)
        self.assertNotIn("gpu0: found", done.stdout)
        self.assertEqual(self.limits(), [300, 70])

    def test_a_study_without_a_gpu_says_what_it_needs(self):
        self.environment["ERGO_NVML"] = "/nonexistent/libnvidia-ml.so"
        done = self.ergo("study", "power-limits", "--quick")
        self.assertEqual(done.returncode, 125)
        self.assertIn("/nonexistent/libnvidia-ml.so", done.stderr)


class Advice(SweepCase):
    """The store that a sweep leaves is what the models read."""

    def setUp(self):
        super().setUp()
        self.kinds = {"dense": (0.95, 0.3, 0.05), "mixed": (0.7, 0.7, 0.4), "bandwidth": (0.35, 0.95, 0.85),
                      "light": (0.5, 0.2, 0.1)}
        script = self.folder / "work.sh"
        lines = [f"{kind}) set -- {c} {m} {b};;" for kind, (c, m, b) in self.kinds.items()]
        script.write_text("case $1 in\n" + "\n".join(lines) + "\nesac\n"
                          f"exec {WORKLOAD} synthetic --compute $1 --memory $2 --memory-bound $3 --iterations 8 "
                          "--iteration-time 50ms\n")
        done = self.sweep("-p", "workload=" + ",".join(self.kinds), "--power-limits", "150..300:30", "--", "sh",
                          script, "{workload}")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_advise_predict_and_evaluate_read_it(self):
        done = self.ergo("advise", "s.db", "--json", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        advice = {a["workload"]: a for a in json.loads(done.stdout)["advice"]}
        self.assertEqual(set(advice), set(self.kinds))
        for one in advice.values():
            self.assertEqual(one["measured_limits"], 6)
            self.assertEqual(one["default_limit_w"], 300)
        # Work that waits for memory loses little speed and saves; the limits found by hand agree.
        self.assertLess(advice["bandwidth"]["power_limit_w"], 300)
        self.assertGreater(advice["bandwidth"]["energy_saving"]["value"], 0.01)
        strict = json.loads(self.ergo("advise", "s.db", "--max-slowdown", "1%", "--json", "-").stdout)["advice"]
        for one in strict:
            if "slowdown" in one:
                self.assertLess(one["slowdown"]["value"], 0.02)

        table = self.ergo("export", "s.db", "--format", "sweep").stdout
        rows = list(csv.DictReader(io.StringIO(table)))
        self.assertEqual({r["config"] for r in rows}, {""}, "a limit makes no other configuration")
        head = table.splitlines()[0] + "\n"
        probes = [line for line in table.splitlines()[1:] if ",dense," in line and (",300," in line or ",180," in line)]
        self.assertEqual(len(probes), 2, table)
        (self.folder / "all.csv").write_text(table)
        (self.folder / "probes.csv").write_text(head + "\n".join(probes) + "\n")
        done = self.ergo("predict", "--train", "all.csv", "--probes", "probes.csv")
        self.assertEqual(done.returncode, 0, done.stderr)
        predicted = {float(r["power_limit_w"]): r for r in csv.DictReader(io.StringIO(done.stdout))}
        self.assertEqual(sorted(predicted), [150, 180, 210, 240, 270, 300])
        for row in rows:
            if row["workload"] != "dense":
                continue
            one = predicted[float(row["power_limit_w"])]
            self.assertAlmostEqual(float(one["time_s"]) / float(row["time_s"]), 1, delta=0.1)
            self.assertAlmostEqual(float(one["energy_j"]) / float(row["energy_j"]), 1, delta=0.12)
            self.assertLess(float(one["time_low"]), float(one["time_high"]))

        done = self.ergo("evaluate", "all.csv", "--probes", "2", "--method", "all", "--json", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        scores = {m["method"]: m["macro"] for m in json.loads(done.stdout)["methods"]}
        self.assertEqual(scores["ergo"]["curves"], 4)
        self.assertLess(scores["ergo"]["energy_mape"], 0.1)

    def test_bad_input_is_named(self):
        (self.folder / "bad.csv").write_text("gpu,workload,config,power_limit_w,time_s,energy_j\nV100,a,b,nine,1,1\n")
        for words in (("advise", "bad.csv"), ("predict", "--probes", "bad.csv"), ("evaluate", "bad.csv")):
            done = self.ergo(*words)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("bad.csv:2", done.stderr)
        done = self.ergo("advise", "none.csv")
        self.assertEqual(done.returncode, 1)
        self.assertIn("none.csv", done.stderr)
        self.assertNotEqual(self.ergo("advise", "s.db", "--objective", "joy").returncode, 0)
        self.assertNotEqual(self.ergo("predict", "--probes", "s.db", "--method", "magic").returncode, 0)

    def test_one_measured_limit_is_refused_with_what_to_measure(self):
        (self.folder / "one.csv").write_text("gpu,workload,config,power_limit_w,time_s,energy_j\nV100,a,,300,1,200\n")
        done = self.ergo("advise", "one.csv")
        self.assertEqual(done.returncode, 3)
        self.assertIn("no advice", done.stdout)
        self.assertIn("measure", done.stdout)


if __name__ == "__main__":
    unittest.main()
