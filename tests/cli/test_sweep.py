"""`ergo sweep`, `ergo export` and `ergo import`, from outside."""
import csv
import io
import json
import signal
import unittest

from ergo_case import ErgoCase


class SweepCase(ErgoCase):
    def sweep(self, *words, **keywords):
        return self.ergo("sweep", "--store", "s.db", *words, **keywords)

    def rows(self, *flags):
        done = self.ergo("export", "s.db", "--format", "csv", *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return list(csv.DictReader(io.StringIO(done.stdout)))


class Sweeps(SweepCase):
    def test_every_cell_of_the_grid_runs_so_often_as_asked(self):
        done = self.sweep("-p", "a=1,2", "-p", "b=10..30:10", "-r", "2", "--", "sh", "-c", "echo {a}-{b} >> log")
        self.assertEqual(done.returncode, 0, done.stderr)
        log = (self.folder / "log").read_text().split()
        self.assertEqual(sorted(log), sorted([f"{a}-{b}" for a in (1, 2) for b in (10, 20, 30)] * 2))
        self.assertEqual(len(set(log[:6])), 6, "each round holds every cell once")
        self.assertEqual(len(self.rows()), 12)

    def test_the_order_is_random_but_the_same_for_a_seed(self):
        orders = []
        for seed in ("1", "1", "2"):
            done = self.ergo("sweep", "--dry-run", "--store", "none.db", "-p", "n=1..8:1", "--seed", seed, "--", "echo", "{n}")
            self.assertEqual(done.returncode, 0, done.stderr)
            orders.append(done.stdout)
        self.assertEqual(orders[0], orders[1])
        self.assertNotEqual(orders[0], orders[2])
        self.assertFalse((self.folder / "none.db").exists())

    def test_a_second_call_measures_nothing_again_and_more_repeats_add_to_it(self):
        command = ["-p", "n=1,2", "--", "sh", "-c", "echo {n} >> log"]
        self.sweep("-r", "2", *command)
        self.assertEqual(self.sweep("-r", "2", *command).returncode, 0)
        self.assertEqual(len((self.folder / "log").read_text().split()), 4)
        self.sweep("-r", "3", *command)
        self.assertEqual(sorted((self.folder / "log").read_text().split()), ["1"] * 3 + ["2"] * 3)

    def test_a_failing_cell_is_recorded_and_the_sweep_goes_on(self):
        done = self.sweep("-p", "code=0,3", "-r", "2", "--", "sh", "-c", "exit {code}")
        self.assertEqual(done.returncode, 1)
        status = {(r["code"], r["repeat"]): r["status"] for r in self.rows()}
        self.assertEqual(status, {("0", "0"): "done", ("0", "1"): "done", ("3", "0"): "failed", ("3", "1"): "failed"})

    def test_a_parameter_that_the_command_never_uses_is_refused(self):
        done = self.sweep("-p", "size=1,2", "--", "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("{size}", done.stderr)

    def test_a_sweep_that_was_stopped_goes_on_where_it_stopped(self):
        command = ["sweep", "--store", "s.db", "-p", "n=1..4:1", "-r", "2", "--", "sh", "-c",
                   "echo {n} >> log; [ -e fast ] || sleep 5"]
        process = self.start(*command, start_new_session=True)
        self.wait_for(lambda: (self.folder / "log").exists(), "the first run")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), 128 + signal.SIGTERM)
        (self.folder / "fast").touch()
        self.assertEqual(self.ergo(*command).returncode, 0)
        cells = sorted((r["n"], r["repeat"]) for r in self.rows() if r["status"] == "done")
        self.assertEqual(cells, sorted((str(n), str(k)) for n in range(1, 5) for k in range(2)))

    def test_killed_and_run_again_the_store_equals_that_of_an_uninterrupted_sweep(self):
        command = ["-p", "n=1..3:1", "-r", "2", "--seed", "5", "--", "sh", "-c", "echo {n} >> log; sleep 0.2"]
        process = self.start("sweep", "--store", "s.db", *command, start_new_session=True)
        self.wait_for(lambda: (self.folder / "log").exists() and len((self.folder / "log").read_text().split()) >= 3,
                      "the third run")
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.assertEqual(self.sweep(*command).returncode, 0)
        self.assertEqual(self.ergo("sweep", "--store", "whole.db", *command).returncode, 0)
        whole = self.ergo("export", "whole.db", "--format", "csv").stdout

        def cells(rows):
            return sorted((r["n"], r["repeat"], r["status"]) for r in rows if r["status"] == "done")

        self.assertEqual(cells(self.rows()), cells(csv.DictReader(io.StringIO(whole))))

    def test_until_repeats_a_cell_until_its_interval_is_narrow(self):
        done = self.sweep("-p", "n=1", "-r", "1", "--until", "50%", "--max-repeats", "6", "--sim", "v100", "--",
                          "sh", "-c", "sleep 0.4 # {n}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreaterEqual(len(self.rows()), 3)
        self.assertLessEqual(len(self.rows()), 6)


class Exports(SweepCase):
    ITEMS = ("import os, socket, time\n"
             "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
             "def mark(t): s.sendto(t.encode(), os.environ['ERGO_MARKS'])\n"
             "now = lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC)\n"
             "mark(f'ergo1 begin work {now()}'); time.sleep(0.5); mark(f'ergo1 end work {now()} count={n}')\n")

    def test_time_and_energy_are_per_item_when_the_run_counted(self):
        script = self.folder / "work.py"
        script.write_text("import sys\nn = int(sys.argv[1])\n" + self.ITEMS)
        self.sweep("--sim", "v100", "-p", "n=10,100", "--", "python3", script, "{n}")
        rows = {r["n"]: r for r in self.rows()}
        for n in ("10", "100"):
            self.assertEqual(rows[n]["count"], n)
            self.assertAlmostEqual(float(rows[n]["time_s"]) * int(n), 0.5, delta=0.2)
        self.assertGreater(float(rows["10"]["energy_j"]), 5 * float(rows["100"]["energy_j"]))
        for row in rows.values():
            self.assertLessEqual(float(row["low_j"]), float(row["energy_j"]))
            self.assertGreaterEqual(float(row["high_j"]), float(row["energy_j"]))
            self.assertEqual(row["provenance"], "simulated")

    def test_the_columns_are_those_of_the_contract(self):
        self.sweep("-p", "size=1", "--", "sh", "-c", "true {size}")
        header = self.ergo("export", "s.db", "--format", "csv").stdout.splitlines()[0].split(",")
        self.assertEqual(header[:3], ["experiment", "run", "repeat"])
        self.assertEqual(header[3], "size")
        self.assertEqual(header[4:13], ["gpu", "workload", "power_limit_w", "duration_s", "count", "time_s", "energy_j",
                                        "low_j", "high_j"])

    def test_a_store_that_does_not_exist_is_named(self):
        done = self.ergo("export", "none.db")
        self.assertEqual(done.returncode, 1)
        self.assertIn("none.db", done.stderr)

    def test_what_is_exported_for_aipowermeter_can_be_imported_again(self):
        self.sweep("--sim", "v100", "-p", "size=112,224", "-r", "2", "--", "sh", "-c", "sleep 0.5 # {size}")
        done = self.ergo("export", "s.db", "--format", "aipowermeter", "-o", "aipm")
        self.assertEqual(done.returncode, 0, done.stderr)
        folders = sorted(str(p.parent.relative_to(self.folder / "aipm"))
                         for p in (self.folder / "aipm").rglob("power_metrics.json"))
        self.assertEqual(folders, ["input_112/run_0", "input_112/run_1", "input_224/run_0", "input_224/run_1"])
        lines = (self.folder / "aipm/input_112/run_0/power_metrics.json").read_text().splitlines()
        self.assertEqual(json.loads(lines[-1]), "END OF RECORDING SEGMENT")
        done = self.ergo("import", "aipm", "--store", "i.db")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.folder / "aipm/input_112/run_0/metadata.json") as file:
            self.assertEqual(json.load(file)["provenance"], "simulated")
        done = self.ergo("export", "i.db")
        self.assertEqual({row["provenance"] for row in csv.DictReader(done.stdout.splitlines())}, {"simulated"})

    def test_a_run_without_power_is_left_out_of_the_folders_and_named(self):
        self.sweep("--sim", "v100", "-p", "size=1,2", "--", "sleep", "0.{size}")
        self.sweep("-p", "size=3", "--", "sleep", "0.{size}")
        done = self.ergo("export", "s.db", "--format", "aipowermeter", "-o", "aipm")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("experiment 2, run 0 is left out: no CPU or GPU power was measured", done.stderr)
        self.assertEqual(len(list((self.folder / "aipm").rglob("power_metrics.json"))), 2)

    def test_importing_what_is_no_recording_names_the_known_formats(self):
        (self.folder / "junk").mkdir()
        done = self.ergo("import", "junk", "--store", "i.db")
        self.assertEqual(done.returncode, 1)
        self.assertIn("power_metrics.json", done.stderr)


if __name__ == "__main__":
    unittest.main()
