"""`ergo run`, from outside."""
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import unittest

from ergo_case import ErgoCase, FakePackage

PYTHON = sys.executable


class ExitCodes(ErgoCase):
    def test_the_childs_exit_code_is_passed_on(self):
        for code in (0, 1, 3, 255):
            self.assertEqual(self.ergo("run", "--", "sh", "-c", f"exit {code}").returncode, code)

    def test_a_command_that_does_not_exist_is_127_and_named(self):
        done = self.ergo("run", "--", "no-such-command")
        self.assertEqual(done.returncode, 127)
        self.assertIn("no-such-command", done.stderr)

    def test_a_file_that_cannot_be_executed_is_126(self):
        script = self.folder / "script"
        script.write_text("echo hello\n")
        script.chmod(0o644)
        self.assertEqual(self.ergo("run", "--", script).returncode, 126)

    def test_a_child_killed_by_a_signal_is_128_plus_its_number(self):
        self.assertEqual(self.ergo("run", "--", "sh", "-c", "kill -9 $$").returncode, 137)
        done, report = self.run_json("--", "sh", "-c", "kill -TERM $$")
        self.assertEqual(done.returncode, 143)
        self.assertEqual(report["runs"][0]["signal"], 15)

    def test_a_wrong_flag_is_ergos_own_failure_and_runs_nothing(self):
        for flags in (["--period", "soon"], ["--period", "1us"], ["--no-such-flag"], ["--repeat", "0"],
                      ["--gpus", ","], ["--json", "no/such/folder/x.json"]):
            done = self.ergo("run", *flags, "--", "touch", "ran")
            self.assertEqual(done.returncode, 125, flags)
            self.assertNotEqual(done.stderr, "")
            self.assertFalse((self.folder / "ran").exists(), flags)

    def test_what_cannot_be_written_is_told_before_the_command_runs(self):
        (self.folder / "results").mkdir()
        (self.folder / "notes").write_text("")
        for flags, word in ((["--json", "results"], "results is a folder"), (["--csv", "results"], "results is a folder"),
                            (["--csv", "no/x.csv"], "mkdir -p"), (["--store", "results"], "results is a folder"),
                            (["--aipowermeter", "notes"], "notes is a file"),
                            (["--aipowermeter", "notes/more"], "notes is a file")):
            done = self.ergo("run", *flags, "--", "touch", "ran")
            self.assertEqual(done.returncode, 125, flags)
            self.assertIn(word, done.stderr)
            self.assertFalse((self.folder / "ran").exists(), flags)

    def test_a_command_without_the_dashes_is_told_where_it_belongs(self):
        for verb in ("run", "sweep", "tune"):
            done = self.ergo(verb, "sleep", "1")
            self.assertIn(f"ergo {verb} [options] -- sleep", done.stderr)
        self.assertEqual(self.ergo("run", "true").returncode, 125)

    def test_no_command_is_ergos_own_failure(self):
        done = self.ergo("run")
        self.assertEqual(done.returncode, 125)
        self.assertIn("ergo run [options] -- COMMAND", done.stderr)

    def test_an_unknown_verb_is_named(self):
        done = self.ergo("rum")
        self.assertEqual(done.returncode, 2)
        self.assertIn("'rum'", done.stderr)

    def test_with_repeats_the_first_failure_is_the_exit_code(self):
        script = "n=$(cat n 2>/dev/null || echo 0); echo $((n+1)) > n; exit $n"
        self.assertEqual(self.ergo("run", "-r", "3", "--", "sh", "-c", script).returncode, 1)


class Streams(ErgoCase):
    def test_output_that_does_not_arrive_is_ergos_own_failure(self):
        with open("/dev/full", "w") as full:
            done = self.ergo("run", "--quiet", "--json", "-", "--", "true", stdout=full, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 125)
            self.assertIn("could not be written", done.stderr)
            self.assertEqual(self.ergo("sensors", stdout=full, stderr=subprocess.PIPE).returncode, 1)

    def test_a_reader_of_the_report_that_goes_away_does_not_end_the_run(self):
        read, write = os.pipe()
        os.close(read)
        done = self.ergo("run", "--json", "report.json", "--", "sleep", "0.1", stdout=subprocess.PIPE, stderr=write)
        os.close(write)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(json.loads((self.folder / "report.json").read_text())["runs"][0]["exit_code"], 0)

    def test_the_child_has_the_signals_as_ergo_found_them(self):
        words = ("sh", "-c", "grep -E 'Sig(Ign|Blk)' /proc/self/status")
        plain = subprocess.run(words, capture_output=True, text=True, cwd=self.folder)
        self.assertEqual(self.ergo("run", "--quiet", "--", *words).stdout, plain.stdout)

    def test_a_limit_on_file_sizes_is_told_and_no_silent_death(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
        done = self.ergo("run", "--store", "s.db", "--", "touch", "ran", preexec_fn=limit)
        self.assertEqual(done.returncode, 125)
        self.assertIn("ulimit -f", done.stderr)

    def test_stdin_stdout_and_stderr_are_the_childs(self):
        done = self.ergo("run", "--quiet", "--", "sh", "-c", "cat; echo err >&2", input="hello\n")
        self.assertEqual(done.stdout, "hello\n")
        self.assertEqual(done.stderr, "err\n")

    def test_the_report_goes_to_stderr_and_nothing_of_it_to_stdout(self):
        done = self.ergo("run", "--", "echo", "out")
        self.assertEqual(done.stdout, "out\n")
        self.assertIn("time", done.stderr)
        self.assertNotIn("\x1b[", done.stderr)

    def test_words_after_the_dashes_belong_to_the_command_whatever_they_look_like(self):
        done = self.ergo("run", "--quiet", "--", "echo", "--json", "-r", "--", "x")
        self.assertEqual(done.stdout, "--json -r -- x\n")

    def test_json_on_stdout_follows_the_output_of_the_command(self):
        done = self.ergo("run", "--quiet", "--json", "-", "--", "true")
        self.assertEqual(json.loads(done.stdout)["schema"], "ergo.run/1")


class Signals(ErgoCase):
    TRAP = "trap 'echo got >> got; exit 5' {0}; touch ready; while :; do sleep 0.05; done"

    def running(self, name, **keywords):
        process = self.start("run", "--", "sh", "-c", self.TRAP.format(name), **keywords)
        self.wait_for(lambda: (self.folder / "ready").exists(), "the command to start")
        return process

    def test_signals_sent_to_ergo_reach_the_command_once(self):
        for name in ("INT", "TERM", "HUP"):
            (self.folder / "ready").unlink(missing_ok=True)
            (self.folder / "got").unlink(missing_ok=True)
            process = self.running(name, start_new_session=True)
            process.send_signal(getattr(signal, "SIG" + name))
            self.assertEqual(process.wait(timeout=30), 5, name)
            self.assertEqual((self.folder / "got").read_text(), "got\n", name)

    def test_the_report_is_printed_after_a_signal(self):
        process = self.running("INT", start_new_session=True)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
        self.assertIn("time", stderr)

    def test_a_signal_ends_the_repeats(self):
        process = self.start("run", "-r", "100", "--json", "r.json", "--", "sh", "-c", "touch ready; exec sleep 30",
                             start_new_session=True)
        self.wait_for(lambda: (self.folder / "ready").exists(), "the command to start")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=30), 128 + signal.SIGTERM)
        self.assertEqual(len(json.loads((self.folder / "r.json").read_text())["runs"]), 1)


class Daemons(ErgoCase):
    def test_a_daemon_does_not_keep_ergo_waiting_and_is_named(self):
        begin = time.monotonic()
        done, report = self.run_json("--", "sh", "-c", "setsid sleep 20 >/dev/null 2>&1 & sleep 0.2")
        self.assertEqual(done.returncode, 0)
        self.assertLess(time.monotonic() - begin, 15)
        self.assertTrue(any("still runs" in w for w in report["runs"][0]["warnings"]), report["runs"][0]["warnings"])
        subprocess.run(["pkill", "-f", "^sleep 20$"], check=False)


class Json(ErgoCase):
    def test_a_report_has_every_key_of_the_schema(self):
        _, report = self.run_json("--name", "a title", "--", "sleep", "0.3")
        self.assertEqual(report["schema"], "ergo.run/1")
        self.assertEqual(report["name"], "a title")
        self.assertEqual(report["command"], ["sleep", "0.3"])
        self.assertRegex(report["started"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertLessEqual({"name", "cpu", "gpus"}, set(report["host"]))
        run = report["runs"][0]
        self.assertLessEqual({"index", "warmup", "exit_code", "duration_s", "energy", "total", "windows", "metrics",
                              "samples", "gaps", "throttled", "self", "warnings"}, set(run))
        self.assertGreaterEqual(run["duration_s"], 0.3)
        self.assertGreater(run["self"]["cpu_s"], 0)
        self.assertEqual(report["summary"]["repeats"], 1)

    def test_warm_ups_are_kept_apart(self):
        _, report = self.run_json("-w", "1", "-r", "2", "--", "true")
        self.assertEqual([r["warmup"] for r in report["runs"]], [True, False, False])
        self.assertEqual(report["summary"]["repeats"], 2)

    def test_an_estimate_is_labelled_and_not_in_the_measured_total(self):
        _, report = self.run_json("--", "sleep", "0.3")
        run = report["runs"][0]
        self.assertEqual([e["provenance"] for e in run["energy"]], ["estimated"])
        self.assertNotIn("measured_j", run["total"])
        self.assertGreater(run["total"]["estimated_j"], 0)
        self.assertLess(run["energy"][0]["low_j"], run["energy"][0]["joules"])


class Packages(ErgoCase):
    """A package whose counter the test moves: 20 W, to the microjoule."""

    def moving(self, package, watts, start_uj, range_uj):
        stop = threading.Event()
        begin = time.monotonic()

        def move():
            while not stop.is_set():
                package.set((start_uj + watts * 1e6 * (time.monotonic() - begin)) % range_uj)
                stop.wait(0.005)

        thread = threading.Thread(target=move)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)

    def measured(self, start_uj, range_uj):
        package = FakePackage(self.environment["ERGO_SYSFS"], start_uj, range_uj)
        self.moving(package, 20, start_uj, range_uj)
        _, report = self.run_json("--", "sleep", "2")
        run = report["runs"][0]
        channel = run["energy"][0]
        self.assertEqual(channel["channel"], "cpu0")
        self.assertEqual(channel["provenance"], "measured")
        truth = 20 * run["duration_s"]
        self.assertAlmostEqual(channel["joules"], truth, delta=0.05 * truth)
        self.assertLessEqual(channel["low_j"], truth)
        self.assertGreaterEqual(channel["high_j"], truth)
        return run

    def test_the_energy_of_a_steady_package_is_power_times_time(self):
        self.measured(1_000_000, 262_143_328_850)

    def test_several_wraps_of_the_counter_lose_nothing(self):
        self.measured(9_000_000, 10_000_000)

    def test_core_and_psys_are_shown_but_not_added(self):
        sysfs = self.environment["ERGO_SYSFS"]
        package = FakePackage(sysfs)
        for number, name in ((0, "core"), (1, "dram")):
            sub = package.folder / f"intel-rapl:0:{number}"
            sub.mkdir()
            for file, text in (("name", name), ("max_energy_range_uj", "262143328850"), ("energy_uj", "5")):
                (sub / file).write_text(text + "\n")
        self.moving(package, 20, 1_000_000, 262_143_328_850)
        stop = threading.Event()

        def move():
            for i in range(10_000):
                if stop.wait(0.005):
                    return
                for number in (0, 1):
                    (package.folder / f"intel-rapl:0:{number}/energy_uj").write_text(f"{5 + 50_000 * i}\n")

        thread = threading.Thread(target=move)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)
        _, report = self.run_json("--", "sleep", "1")
        run = report["runs"][0]
        by_channel = {e["channel"]: e for e in run["energy"]}
        self.assertFalse(by_channel["core0"]["in_total"])
        self.assertAlmostEqual(run["total"]["measured_j"],
                               by_channel["cpu0"]["joules"] + by_channel["dram0"]["joules"], places=6)

    def test_a_counter_that_may_not_be_read_names_the_command_that_unlocks_it(self):
        package = FakePackage(self.environment["ERGO_SYSFS"])
        (package.folder / "energy_uj").chmod(0o000)
        report = self.folder / "report.json"
        report.touch()
        keywords = {}
        if os.geteuid() == 0:
            for path in (self.folder, report):
                path.chmod(0o777)
            keywords = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        done = self.ergo("run", "--json", "-", "--quiet", "--", "true", **keywords)
        warnings = json.loads(done.stdout)["runs"][0]["warnings"]
        self.assertTrue(any("chmod" in w or "setcap" in w for w in warnings), warnings)


class Marks(ErgoCase):
    SENDER = """
import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def mark(text):
    s.sendto(text.encode(), os.environ["ERGO_MARKS"])
def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
"""

    def windows_of(self, script):
        done, report = self.run_json("--", PYTHON, "-c", self.SENDER + script)
        self.assertEqual(done.returncode, 0, done.stderr)
        return report["runs"][0]

    def test_marks_become_windows_with_counts_and_energy_per_item(self):
        run = self.windows_of("""
for epoch in range(3):
    mark(f"ergo1 begin epoch {now()}")
    time.sleep(0.1)
    mark(f"ergo1 end epoch {now()} count=50")
""")
        self.assertEqual([(w["name"], w["index"], w["count"]) for w in run["windows"]],
                         [("epoch", 0, 50), ("epoch", 1, 50), ("epoch", 2, 50)])
        for w in run["windows"]:
            self.assertGreaterEqual(w["duration_s"], 0.09)
            self.assertTrue(w["energy"])
        self.assertEqual(run["items"]["count"], 150)

    def test_windows_of_one_name_nest_and_others_overlap(self):
        run = self.windows_of("""
for text in ("begin a", "begin b", "begin a", "end a", "end b", "end a"):
    mark(f"ergo1 {text} {now()}")
    time.sleep(0.02)
""")
        spans = {(w["name"], w["index"]): (w["start_s"], w["start_s"] + w["duration_s"]) for w in run["windows"]}
        self.assertLess(spans["a", 0][0], spans["a", 1][0])
        self.assertGreater(spans["a", 0][1], spans["a", 1][1])
        self.assertIn(("b", 0), spans)

    def test_malformed_and_unmatched_marks_become_warnings(self):
        run = self.windows_of("""
mark("hello")
mark(f"ergo1 end never {now()}")
mark(f"ergo1 begin good {now()}")
mark(f"ergo1 end good {now()}")
""")
        self.assertEqual([w["name"] for w in run["windows"]], ["good"])
        self.assertGreaterEqual(len([w for w in run["warnings"] if "mark" in w]), 2, run["warnings"])

    def test_parts_of_the_run_sum_to_no_more_than_the_whole(self):
        run = self.windows_of("""
for step in range(5):
    mark(f"ergo1 begin step {now()}")
    time.sleep(0.1)
    mark(f"ergo1 end step {now()}")
""")
        parts = sum(w["energy"][0]["joules"] for w in run["windows"])
        self.assertLessEqual(parts, run["energy"][0]["joules"] * 1.001)

    def test_latencies_that_the_program_leaves_are_summarised(self):
        _, report = self.run_json("--", "sh", "-c", "seq 1 101 > $ERGO_RUN_DIR/latency.csv")
        self.assertEqual(report["runs"][0]["latency"], {"count": 101, "median_s": 51, "p95_s": 96, "p99_s": 100})


class Outputs(ErgoCase):
    def test_a_full_disk_is_an_error_but_the_report_is_still_printed(self):
        done = self.ergo("run", "--json", "/dev/full", "--", "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("No space left", done.stderr)
        self.assertIn("time", done.stderr)

    def test_csv_and_store_hold_the_same_energy_as_the_json(self):
        _, report = self.run_json("--csv", "r.csv", "--store", "r.db", "--", "sleep", "0.3")
        energy = report["runs"][0]["energy"][0]["joules"]
        header, row = (line.split(",") for line in (self.folder / "r.csv").read_text().splitlines()[:2])
        self.assertAlmostEqual(float(dict(zip(header, row))["joules"]), energy, places=9)

    def test_a_store_that_is_no_database_is_refused_before_the_command_runs(self):
        (self.folder / "notes.db").write_text("these are my notes, and no database at all\n" * 100)
        done = self.ergo("run", "--store", "notes.db", "--", "touch", "ran")
        self.assertEqual(done.returncode, 125)
        self.assertIn("notes.db", done.stderr)
        self.assertFalse((self.folder / "ran").exists())


if __name__ == "__main__":
    unittest.main()
