"""`ergo limits` and `--power-limit`: on the simulated node only, whose cards nobody misses."""
import json
import os
import pathlib
import signal
import subprocess
import unittest

from ergo_case import BINARIES
from limits_case import RIVAL, LimitsCase


class Limits(LimitsCase):
    def test_show_tells_limits_and_writes_nothing(self):
        report = self.show()
        self.assertEqual(report["schema"], "ergo.limits/1")
        gpu = report["gpus"][0]
        self.assertEqual([gpu[k] for k in ("enforced_w", "set_w", "default_w", "min_w", "max_w")],
                         [300, 300, 300, 150, 300])
        self.assertTrue(gpu["simulated"])
        self.assertEqual(report["saved"], [])
        self.assertFalse(self.state.exists())
        self.assertIn("allowed 150 W to 300 W", self.ergo("limits", "show").stdout)

    def test_set_stays_until_restore(self):
        done = self.ergo("limits", "set", "200")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("set to 200 W, found 300 W", done.stdout)
        self.assertEqual(self.limit(), 200)
        self.assertEqual(self.show()["saved"][0]["found_w"], 300)
        dry = self.ergo("limits", "restore", "--dry-run")
        uuid = self.show()["gpus"][0]["uuid"]
        self.assertIn(f"gpu0 ({uuid}): would be put back to 300 W", dry.stdout)
        self.assertIn(f"gpu0 ({uuid})  found 300 W, changed to 200 W", self.ergo("limits", "show").stdout)
        self.assertEqual(self.limit(), 200)
        done = self.ergo("limits", "restore")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.limit(), 300)
        self.assertEqual(self.saved(), [])
        self.assertIn("nothing to put back", self.ergo("limits", "restore").stdout)

    def test_a_dry_run_writes_nothing(self):
        done = self.ergo("limits", "set", "200", "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("would be set to 200 W", done.stdout)
        self.assertEqual(self.limit(), 300)
        self.assertFalse(self.state.exists())

    def test_a_limit_that_the_gpu_does_not_allow_is_refused(self):
        done = self.ergo("limits", "set", "50")
        self.assertEqual(done.returncode, 1)
        self.assertIn("150 to 300 W", done.stderr)
        self.assertEqual(self.limit(), 300)

    def test_without_a_gpu_it_says_why(self):
        self.environment["ERGO_NVML"] = "/nonexistent/libnvidia-ml.so"
        for words in (("show",), ("set", "200")):
            done = self.ergo("limits", *words)
            self.assertEqual(done.returncode, 1)
            self.assertIn("/nonexistent/libnvidia-ml.so", done.stderr)
            self.assertIn("unset ERGO_NVML", done.stderr)


    def test_watts_may_carry_their_unit_and_nothing_else(self):
        for text in ("200W", "200 W", "200"):
            self.assertEqual(self.ergo("limits", "set", text).returncode, 0)
            self.assertEqual(self.limit(), 200)
        for text in ("200mW", "x", "0", "nan"):
            done = self.ergo("limits", "set", text)
            self.assertEqual(done.returncode, 1)
            self.assertIn("is no power limit", done.stderr)
            done = self.ergo("run", "--power-limit", text, "--", "touch", "ran")
            self.assertEqual(done.returncode, 125)
            self.assertIn(f"--power-limit: '{text}' is no power limit", done.stderr)
        self.assertFalse((self.folder / "ran").exists())
        self.assertEqual(self.limit(), 200)

    @unittest.skipIf(os.environ.get("ERGO_SANITIZED"), "a plain Python cannot load a library built with a sanitizer")
    def test_a_limit_that_the_driver_would_soon_forget_is_told(self):
        self.assertNotIn("persistence", self.ergo("limits", "set", "200").stderr)
        forget = ("import ctypes, os; n = ctypes.CDLL(os.environ['ERGO_NVML']); n.nvmlInit_v2(); d = ctypes.c_void_p(); "
                  "n.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(d)); raise SystemExit(n.nvmlDeviceSetPersistenceMode(d, 0))")
        subprocess.run(["python3", "-c", forget], env=self.environment, check=True)
        done = self.ergo("limits", "set", "200")
        self.assertEqual(done.returncode, 0)
        self.assertIn("persistence mode is off", done.stderr)
        self.assertIn("nvidia-smi -i 0 -pm 1", done.stderr)
        self.assertFalse(self.show()["gpus"][0]["persistent"])


class Runs(LimitsCase):
    def test_a_dry_run_checks_and_runs_nothing(self):
        done = self.ergo("run", "--power-limit", "180", "--dry-run", "--", "touch", "ran")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("gpu0: would be set to 180 W, found 300 W", done.stdout)
        self.assertIn("would run once: touch ran", done.stdout)
        done = self.ergo("run", "--power-limit", "50", "--dry-run", "--", "touch", "ran")
        self.assertEqual(done.returncode, 125)
        self.assertIn("150 to 300 W", done.stderr)
        self.assertFalse((self.folder / "ran").exists())
        self.assertFalse(self.state.exists())

    def test_the_report_tells_the_limit(self):
        self.assertIn("GPU power limit 180 W", self.ergo("run", "--power-limit", "180", "--", "true").stderr)
        self.assertNotIn("power limit", self.ergo("run", "--", "true").stderr)

    def test_the_limit_stands_during_the_run_and_is_recorded(self):
        done, report = self.run_json("--power-limit", "180", "--", BINARIES / "ergo", "limits", "show", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        during = json.loads(done.stdout)
        self.assertEqual(during["gpus"][0]["enforced_w"], 180)
        self.assertTrue(during["saved"][0]["owner_alive"])
        self.assertEqual(report["runs"][0]["power_limit_w"], 180)
        self.assertNotIn("invalid", report["runs"][0])
        self.assertEqual(self.limit(), 300)
        self.assertEqual(self.saved(), [])

    def test_repeats_and_a_failing_command_leave_nothing(self):
        done = self.ergo("run", "-r", "3", "--power-limit", "180", "--", "false")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.limit(), 300)

    def start_held(self, *words):
        ready = self.folder / "ready"
        process = self.start("run", "--power-limit", "180", *words, "--", "sh", "-c", f"touch {ready}; sleep 60",
                             start_new_session=True)
        self.wait_for(ready.exists, "the command")
        self.assertEqual(self.limit(), 180)
        return process

    def test_signals_and_kills_leave_the_limit_found(self):
        for number, group in ((signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGHUP, True),
                              (signal.SIGKILL, False), (signal.SIGKILL, True)):
            with self.subTest(signal=number, group=group):
                process = self.start_held()
                try:
                    (os.killpg if group else os.kill)(process.pid, number)
                    process.wait(30)
                    self.wait_for(lambda: self.limit() == 300, "the limit found")
                    self.wait_for(lambda: self.saved() == [], "the saved limit to go")
                finally:
                    try:
                        os.killpg(process.pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                (self.folder / "ready").unlink()

    def test_a_second_run_is_refused_with_the_first_ones_pid(self):
        first = self.start_held()
        done = self.ergo("run", "--power-limit", "200", "--", "touch", "ran")
        self.assertEqual(done.returncode, 125)
        self.assertIn(f"process {first.pid}", done.stderr)
        self.assertFalse((self.folder / "ran").exists())
        self.assertEqual(self.limit(), 180)
        os.killpg(first.pid, signal.SIGTERM)
        first.wait(30)
        self.assertEqual(self.limit(), 300)

    def test_a_simulated_node_of_one_command_needs_no_way_back(self):
        del self.environment["ERGO_STATE_DIR"]
        done = self.ergo("limits", "set", "200", "--sim", "v100")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("restore", done.stdout)
        self.assertIn("ends with this command", done.stderr)

    def test_with_sim_on_the_command_line(self):
        del self.environment["ERGO_STATE_DIR"]
        done, report = self.run_json("--sim", "v100", "--power-limit", "200", "--", "true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(report["runs"][0]["power_limit_w"], 200)

    def test_a_sudden_end_of_the_output_does_not_keep_the_pipe_open(self):
        done = self.ergo("run", "--power-limit", "180", "--", "true")  # returns only when all ends of stderr are closed
        self.assertEqual(done.returncode, 0, done.stderr)


class LeftOver(LimitsCase):
    """ergo and its guardian die at once, as when a cgroup is killed."""

    def setUp(self):
        super().setUp()
        ready = self.folder / "ready"
        process = self.start("run", "--power-limit", "180", "--", "sh", "-c", f"touch {ready}; sleep 60", start_new_session=True)
        self.wait_for(ready.exists, "the command")
        guardian = self.guardian()
        os.kill(guardian, signal.SIGSTOP)  # so that it does nothing between the two
        os.killpg(process.pid, signal.SIGKILL)
        os.kill(guardian, signal.SIGKILL)
        process.wait(30)
        self.pid = process.pid
        self.wait_for(lambda: self.guardian() is None, "the end of the guardian")
        self.assertEqual(self.limit(), 180)
        self.text = f"gpu0: process {self.pid} died and left the power limit at 180 W; it had found 300 W"
        self.remedy = "ergo limits restore"

    def guardian(self):
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if str(self.state) in (entry / "cmdline").read_text() and (entry / "comm").read_text() == "limit-guardian\n":
                    return int(entry.name)
            except OSError:
                continue
        return None

    def test_every_command_that_looks_at_gpus_names_it_and_the_remedy(self):
        shown = self.ergo("limits", "show").stdout
        self.assertIn(f"found 300 W, changed to 180 W: process {self.pid} died: run 'ergo limits restore'", shown)
        for words in (("sensors", "--quick"), ("run", "--", "true"), ("run", "--dry-run", "--", "true"),
                      ("sweep", "--store", "s.db", "-p", "n=1", "--", "echo", "{n}"), ("tune", "--dry-run", "--limits", "150,160", "--", "true")):
            with self.subTest(words=words):
                done = self.ergo(*words)
                self.assertIn(self.text, done.stdout + done.stderr)
                self.assertIn(self.remedy, done.stdout + done.stderr)
        _, report = self.run_json("--quiet", "--", "true")
        self.assertIn(self.text, "\n".join(report["runs"][0]["warnings"]))
        self.assertNotIn(self.text, self.ergo("run", "--gpus", "none", "--", "true").stderr)
        self.assertEqual(self.limit(), 180, "none of them changed it")
        self.assertIn("back at 300 W", self.ergo("limits", "restore").stdout)
        self.assertEqual(self.limit(), 300)
        self.assertNotIn("died", self.ergo("sensors", "--quick").stdout)

    def test_the_next_run_with_a_limit_puts_it_right(self):
        done = self.ergo("run", "--power-limit", "200", "--", "true")
        self.assertIn("left 180 W; 300 W, found by it, is back", done.stderr)
        self.assertEqual(self.limit(), 300)

    def test_tuning_takes_the_limit_found_for_the_default_not_the_one_left(self):
        done = self.ergo("tune", "--json", "t.json", "--", "true")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads((self.folder / "t.json").read_text())
        self.assertEqual(report["default_limit_w"], 300)
        self.assertIn("left 180 W", "\n".join(report["warnings"]))
        self.assertIn("left 180 W", done.stderr)
        self.assertEqual(self.limit(), 300)

    def test_a_damaged_file_says_what_to_do(self):
        file = next(self.state.glob("*.run"))
        file.write_text(file.read_text()[:40])
        done = self.ergo("run", "--power-limit", "200", "--", "touch", "ran")
        self.assertEqual(done.returncode, 125)
        self.assertIn(f"rm {file}", done.stderr)
        self.assertIn("damaged", self.ergo("limits", "show").stdout)
        self.assertEqual(self.ergo("limits", "restore").returncode, 1)
        file.unlink()
        self.assertEqual(self.ergo("limits", "set", "300").returncode, 0)
        self.assertEqual(self.limit(), 300)


@unittest.skipIf(os.environ.get("ERGO_SANITIZED"), "a plain Python cannot load a library built with a sanitizer")
class Rival(LimitsCase):
    def test_another_program_that_changes_the_limit_makes_the_run_invalid(self):
        done, report = self.run_json("--power-limit", "180", "--", "python3", "-c", RIVAL.format("True"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("from 180 W to 222 W", report["runs"][0]["invalid"])
        self.assertIn("from 180 W to 222 W", done.stderr)
        self.assertIn("this run is invalid", done.stderr)
        self.assertEqual(self.limit(), 300)


class Denied(LimitsCase):
    node_options = ("--permission", "denied")

    def test_the_error_says_how_to_get_the_right_and_nothing_runs(self):
        done = self.ergo("run", "--power-limit", "180", "--", "touch", "ran")
        self.assertEqual(done.returncode, 125)
        self.assertIn("sudo ergo" if os.geteuid() else "container", done.stderr)
        self.assertFalse((self.folder / "ran").exists())
        self.assertEqual(self.limit(), 300)
        self.assertEqual(self.saved(), [])
        self.assertEqual(self.ergo("limits", "set", "180").returncode, 1)


