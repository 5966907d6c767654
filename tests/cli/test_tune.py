"""`ergo tune` on the simulated node, from outside."""
import json
import os
import signal
import unittest

from ergo_case import BINARIES
from limits_case import RIVAL, LimitsCase

WORKLOAD = str(BINARIES / "ergo-workload")


def job(seconds, *more):
    """Work that only computes: a lower limit saves much. Its epochs of 0.2 s are marked."""
    return [WORKLOAD, "synthetic", "--compute", "0.95", "--memory", "0.3", "--memory-bound", "0.05",
            "--iteration-time", "50ms", "--epoch", "4", "--seconds", str(seconds), *more]


class TuneCase(LimitsCase):
    def tune(self, *words, **keywords):
        done = self.ergo("tune", "--window", "800ms", "--period", "20ms", "--json", "tune.json", *words, **keywords)
        path = self.folder / "tune.json"
        return done, json.loads(path.read_text()) if path.exists() else None


class Tunes(TuneCase):
    def test_a_job_with_marks_ends_under_a_better_limit_and_the_limit_found_is_back(self):
        done, report = self.tune("--", *job(26))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((report["work"], report["counted"]), ("items", "epoch"))
        self.assertLess(report["settled_w"], 270, done.stderr)
        self.assertEqual([w["purpose"] for w in report["windows"][:4]], ["default", "default", "probe", "default"])
        self.assertEqual(report["windows"][2]["power_limit_w"], 180)
        self.assertIn("energy", report["summary"])
        self.assertGreater(report["saved"]["high"], 0)
        self.assertLess(report["saved"]["low"], report["saved"]["high"])
        # What the windows show is what such a card does: the limit settled on needs less energy per item.
        by_limit = {w["power_limit_w"]: w["energy_per_work_j"] for w in report["windows"]}
        self.assertLess(by_limit[report["settled_w"]], 0.95 * by_limit[300])
        self.assertIn("settled on", done.stderr)
        self.assertEqual(self.limit(), 300)
        self.assertEqual(self.saved(), [])

    def test_a_short_job_cannot_be_judged(self):
        done, report = self.tune("--", *job(2))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("cannot tell", done.stderr)
        self.assertNotIn("saved", report)
        self.assertEqual(self.limit(), 300)

    def test_the_command_keeps_its_exit_code_and_its_output(self):
        done, report = self.tune("--", "sh", "-c", "echo out; exit 7")
        self.assertEqual((done.returncode, done.stdout), (7, "out\n"))
        self.assertEqual(report["exit_code"], 7)

    def test_signals_and_kills_leave_the_limit_found(self):
        for number, group in ((signal.SIGTERM, False), (signal.SIGKILL, True)):
            with self.subTest(signal=number, group=group):
                process = self.start("tune", "--window", "800ms", "--period", "20ms", "--", *job(60),
                                     start_new_session=True)
                self.ends_and_leaves_the_limit_found(process, number, group, lambda: self.limit() == 180, "the probe", 60)


    def test_a_dry_run_says_what_it_would_do_and_runs_nothing(self):
        done = self.ergo("tune", "--dry-run", "--", "touch", "ran")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("found 300 W", done.stdout)
        self.assertIn("31 limits, 150 to 300 W", done.stdout)
        self.assertIn("touch ran", done.stdout)
        self.assertFalse((self.folder / "ran").exists())
        self.assertFalse(self.state.exists())

    def test_the_store_of_a_tuned_job_teaches_models_nothing(self):
        """It ran under several limits: none of them is the one that its energy is of."""
        self.ergo("run", "--store", "s.db", "--power-limit", "200", "--", "true")
        self.tune("--store", "s.db", "--", "true")
        done = self.ergo("export", "s.db", "--format", "sweep")
        self.assertEqual([line.split(",")[3] for line in done.stdout.splitlines()[1:]], ["200"], done.stdout)


@unittest.skipIf(os.environ.get("ERGO_SANITIZED"), "a plain Python cannot load a library built with a sanitizer")
class Rival(TuneCase):
    def test_a_limit_that_another_program_changes_ends_all_claims(self):
        done, report = self.tune("--", "python3", "-c", RIVAL.format("True"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("cannot tell what a limit saves: gpu0: another program changed the power limit", done.stderr)
        self.assertIn("from 300 W to 222 W", report["invalid"])
        self.assertNotIn("saved", report)
        self.assertEqual(self.limit(), 300)


class Activity(TuneCase):
    def test_without_marks_busy_time_and_clock_stand_for_the_work(self):
        done, report = self.tune("--", "env", "-u", "ERGO_MARKS", *job(20))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(report["work"], "activity")
        self.assertTrue(any(w["purpose"] == "probe" for w in report["windows"]), done.stderr)
        low = next(w for w in report["windows"] if w["purpose"] == "probe")
        self.assertGreater(low["time_per_work_s"], report["windows"][0]["time_per_work_s"])
        self.assertEqual(self.limit(), 300)


class Refusals(TuneCase):
    node_options = ("--permission", "denied")

    def test_without_the_right_it_says_how_to_get_it_and_nothing_runs(self):
        done, _ = self.tune("--", "touch", "ran")
        self.assertEqual(done.returncode, 125)
        self.assertIn("sudo ergo" if os.geteuid() else "container", done.stderr)
        self.assertFalse((self.folder / "ran").exists())

    def test_without_a_gpu_or_with_words_it_does_not_know_it_says_so(self):
        for words, text in ((("--objective", "joy"), "cost:ETA"), (("--max-slowdown", "x"), "--max-slowdown"),
                            (("--max-slowdown", "5"), "write 5% if"),
                            (("--window", "0"), "--window"), (("--limits", "10,200"), "10 W cannot be set"),
                            (("--limits", "300"), "no limit below"), (("--limits", "x"), "--limits")):
            done, _ = self.tune(*words, "--", "touch", "ran")
            self.assertEqual(done.returncode, 125)
            self.assertIn(text, done.stderr)
        done = self.ergo("tune", "--json", "none/tune.json", "--", "touch", "ran")
        self.assertEqual(done.returncode, 125)
        self.assertIn("mkdir -p", done.stderr, "now, not after hours")
        self.environment["ERGO_NVML"] = "/nonexistent/libnvidia-ml.so"
        done, _ = self.tune("--", "touch", "ran")
        self.assertEqual(done.returncode, 125)
        self.assertIn("no GPU", done.stderr)
        self.assertFalse((self.folder / "ran").exists())


if __name__ == "__main__":
    unittest.main()
