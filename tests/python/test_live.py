"""The live total of `ergo run`, and budgets: real programs on the simulated node."""
import json
import re
import subprocess
import unittest

from python_case import ERGO, PACKAGE, PythonCase
from test_hooks import FAKE_KERAS

LINE = re.compile(r"ergo: (\d+) of (\d+) (\w+): ([\d.]+) (m?J|kJ) \[([\d.]+) … ([\d.]+) (m?J|kJ)\] \((\w+)\) and (.+) in all, (.+) left")
SCALE = {"mJ": 1e-3, "J": 1.0, "kJ": 1e3}


class LiveCase(PythonCase):
    def live(self, script, *options, before=("--sim", "v100")):
        """Runs a script; returns (CompletedProcess, the lines of the live total, report or None)."""
        report = self.folder / "live.json"
        done = self.ergo(*before, "run", "--json", report, *options, "--", self.python, script)
        lines = [LINE.match(line) for line in done.stderr.splitlines() if line.startswith("ergo: ") and " in all, " in line]
        self.assertNotIn(None, lines, done.stderr)
        return done, lines, json.loads(report.read_text()) if report.exists() else None


class Predictions(LiveCase):
    def test_marks_with_a_total_are_predicted_and_the_interval_holds(self):
        self.environment["PYTHONPATH"] = str(PACKAGE)
        done, lines, report = self.live(self.script("""
            import time
            from ergometer import mark
            for epoch in range(6):
                with mark.window("epoch", count=100, total=6):
                    time.sleep(1.2 if epoch == 0 else 0.7)
        """))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(lines, done.stderr)
        self.assertEqual(lines[0].group(1, 2, 3, 9), ("2", "6", "epochs", "simulated"))
        truth = sum(energy["joules"] for window in report["runs"][0]["windows"] for energy in window["energy"]
                    if energy["channel"][:3] in ("gpu", "cpu", "dra"))
        for line in lines:
            self.assertLess(float(line[6]) * SCALE[line[8]], truth)
            self.assertGreater(float(line[7]) * SCALE[line[8]], truth)

    def test_fit_says_how_many_epochs_there_will_be(self):
        for package in ("keras", "keras/src", "keras/src/callbacks"):
            self.script("", package + "/__init__.py")
        self.script(FAKE_KERAS, "keras/src/callbacks/callback_list.py")
        _, lines, _ = self.live(self.script("""
            import time
            from keras.src.callbacks.callback_list import fit
            fit(epochs=4, callbacks=[lambda name: time.sleep(0.25) if name == "on_train_batch_end" else None])
        """), before=())
        self.assertEqual(lines[0].group(2, 3, 9), ("4", "epochs", "estimated"))

    def test_quiet_and_programs_without_a_total_print_nothing(self):
        self.environment["PYTHONPATH"] = str(PACKAGE)
        text = """
            import time
            from ergometer import mark
            for epoch in range(4):
                with mark.window("epoch"%s):
                    time.sleep(0.6)
        """
        self.assertEqual(self.live(self.script(text % ", total=4"), "--quiet")[0].stderr, "")
        self.assertEqual(self.live(self.script(text % ""))[1], [])

    def test_an_older_receiver_or_none_changes_nothing(self):
        self.environment["PYTHONPATH"] = str(PACKAGE)
        done = self.plain(self.script("""
            from ergometer import mark
            @mark.window("epoch", count=3, total=4)
            def epoch(): return 7
            mark.begin("a", total=3); mark.begin("a", 1, 2); mark.begin("a", total=-1); mark.end("a")
            print(epoch())
        """))
        self.assertEqual((done.stdout, done.stderr), (b"7\n", b""))


class Budgets(LiveCase):
    def setUp(self):
        super().setUp()
        self.environment["PYTHONPATH"] = str(PACKAGE)

    TRAINING = """
        import time
        from ergometer import mark
        for epoch in range(60):
            with mark.window("epoch", total=60):
                time.sleep(0.6)
    """

    def test_a_prediction_above_the_budget_ends_the_program_and_keeps_the_data(self):
        done, _, report = self.live(self.script(self.TRAINING), "--budget", "1kJ", "--store", "s.db")
        self.assertEqual(done.returncode, 130, done.stderr)
        self.assertIn("ergo: the budget of 1.000 kJ would be passed", done.stderr)
        self.assertIn("KeyboardInterrupt", done.stderr)
        run = report["runs"][0]
        self.assertEqual(run["exit_code"], 130)
        self.assertLess(run["total"]["measured_j"], 1000)
        self.assertTrue(any("budget of 1.000 kJ" in warning for warning in run["warnings"]), run["warnings"])
        self.assertGreaterEqual(len(run["windows"]), 3)
        exported = self.ergo("export", "s.db", "--format", "csv")
        self.assertEqual(exported.returncode, 0, exported.stderr)
        self.assertEqual(len(exported.stdout.splitlines()), 2)

    def test_what_is_used_up_ends_a_program_without_marks(self):
        done, _, report = self.live(self.script("import time\nwhile True: time.sleep(1)\n"), "--budget", "100J", "-r", "3")
        self.assertEqual(done.returncode, 130, done.stderr)
        self.assertIn("the budget of 100.0 J is used up", done.stderr)
        self.assertEqual(len(report["runs"]), 1)  # no further run
        self.assertGreater(report["runs"][0]["total"]["high_j"], 100)

    def test_quiet_does_not_hide_the_reason(self):
        done, _, _ = self.live(self.script("import time\nwhile True: time.sleep(1)\n"), "--budget", "50", "--quiet")
        self.assertIn("ergo: the budget of 50.00 J is used up", done.stderr)

    def test_a_program_may_finish_what_it_does(self):
        done, _, report = self.live(self.script("""
            import time
            try:
                while True: time.sleep(0.1)
            except KeyboardInterrupt:
                print("saved", flush=True)
        """), "--budget", "50J")
        self.assertEqual((done.stdout, report["runs"][0]["exit_code"]), ("saved\n", 0))
        self.assertEqual(done.returncode, 130)  # the command line is told that it did not run to its end

    def test_a_shell_between_is_no_obstacle(self):
        script = self.script("import time\nwhile True: time.sleep(1)\n")
        done = subprocess.run([ERGO, "--sim", "v100", "run", "--quiet", "--budget", "50J", "--", "bash", "-c",
                               f"{self.python} {script}; echo after"], env=self.environment, cwd=self.folder,
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 130)
        self.assertIn("KeyboardInterrupt", done.stderr)

    def test_a_budget_that_suffices_changes_nothing(self):
        done, _, report = self.live(self.script("import sys; sys.exit(3)"), "--budget", "2kWh")
        self.assertEqual(done.returncode, 3)
        self.assertNotIn("budget", done.stderr)

    def test_a_budget_that_is_none_is_refused_before_the_program_runs(self):
        for budget in ("2kw", "0J", "-5J", "much"):
            done = self.ergo("run", f"--budget={budget}", "--", "echo", "ran")
            self.assertEqual((done.returncode, done.stdout), (125, ""), budget)
            self.assertIn("--budget", done.stderr)
            self.assertIn("2kWh", done.stderr)


if __name__ == "__main__":
    unittest.main()
