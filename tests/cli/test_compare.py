"""`ergo compare`, from outside."""
import json
import os
import signal
import unittest

from ergo_case import BINARIES, ErgoCase

WORKLOAD = str(BINARIES / "ergo-workload")


class CompareCase(ErgoCase):
    def compare_json(self, *words, **keywords):
        done = self.ergo("compare", "--json", "-", *words, **keywords)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def quantities(self, result):
        return {quantity["id"]: quantity for quantity in result["quantities"]}


class Commands(CompareCase):
    def synthetic(self, seconds):
        return f"{WORKLOAD} synthetic --iteration-time {seconds}s --iterations 2"

    def test_half_the_work_costs_about_half_and_the_sides_take_turns(self):
        result = self.compare_json("--sim", "v100", "-r", "4", "-w", "0", "--store", "s.db", "--",
                                   self.synthetic("0.4"), self.synthetic("0.2"))
        self.assertEqual(result["schema"], "ergo.compare/1")
        self.assertTrue(result["paired"])
        self.assertTrue(result["gain_cancels"])
        energy = self.quantities(result)["energy"]
        self.assertEqual(energy["provenance"], "simulated")
        self.assertLess(energy["change"]["value"], -0.2)
        self.assertLessEqual(energy["change"]["low"], energy["change"]["value"])
        self.assertGreaterEqual(energy["change"]["high"], energy["change"]["value"])
        for name in ("time", "power", "edp"):
            self.assertIn(name, self.quantities(result))
        again = self.compare_json("s.db")
        self.assertEqual([q["change"] for q in again["quantities"]], [q["change"] for q in result["quantities"]])

    def test_the_verdict_is_the_last_line(self):
        done = self.ergo("compare", "--sim", "v100", "-r", "2", "-w", "0", "--quiet", "--json", "r.json", "--",
                         "sleep 0.6", "sleep 0.2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "")
        done = self.ergo("compare", "--sim", "v100", "-r", "3", "-w", "0", "--", "sleep 0.9", "sleep 0.3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout.splitlines()[-1], r"^(B uses [\d.]+ ± [\d.]+ % less energy|cannot tell)")
        self.assertIn("simulated", done.stdout)
        self.assertIn("cancels in the ratio", done.stdout)

    def test_a_parameter_with_two_values_makes_the_sides(self):
        result = self.compare_json("--sim", "v100", "-r", "2", "-w", "1", "-p", "n=1,2", "--",
                                   "sh", "-c", "echo {n} >> log; sleep 0.2")
        log = (self.folder / "log").read_text().split()
        self.assertEqual(log[:2], ["1", "2"], "the warm-ups")
        self.assertEqual(len(log), 6)
        self.assertEqual(log[2], log[5])
        self.assertEqual(log[3], log[4])
        self.assertNotEqual(log[2], log[3])
        self.assertEqual(result["a"]["label"], "n=1")

    def test_the_order_is_the_same_for_a_seed(self):
        def order(seed):
            return self.ergo("compare", "--dry-run", "-r", "40", "--seed", seed, "--", "true", "false").stdout

        self.assertEqual(order("1"), order("1"))
        self.assertNotEqual(order("1"), order("2"))
        self.assertEqual(len(order("1").splitlines()), 80)

    def test_what_the_commands_print_stays_out_of_the_result(self):
        result = self.compare_json("--sim", "v100", "-r", "2", "-w", "0", "--", "echo noise; sleep 0.1",
                                   "echo noise >&2; sleep 0.1")
        self.assertEqual(result["a"]["runs"], 2)

    def test_with_an_idle_baseline_the_energy_above_it_is_compared_too(self):
        result = self.compare_json("--sim", "v100", "--idle", "300ms", "-r", "2", "-w", "0", "--",
                                   self.synthetic("0.4"), self.synthetic("0.3"))
        self.assertTrue("net_energy" in self.quantities(result) or any("above idle" in n for n in result["notes"]))

    def test_a_command_that_fails_ends_the_comparison(self):
        done = self.ergo("compare", "-r", "2", "--", "true", "echo it broke >&2; exit 3")
        self.assertEqual(done.returncode, 1)
        self.assertIn("B failed with exit code 3: it broke", done.stderr)

    def logging(self, name, seconds):
        return f"echo {name} >> log; sleep {seconds}"

    def log(self):
        path = self.folder / "log"
        return path.read_text().split() if path.exists() else []

    def test_killed_and_run_again_whole_pairs_stand_and_the_half_one_is_made_again(self):
        words = ["--sim", "v100", "-r", "4", "-w", "0", "--store", "s.db", "--", self.logging("a", "0.3"),
                 self.logging("b", "0.3")]
        process = self.start("compare", *words, start_new_session=True)
        self.wait_for(lambda: len(self.log()) == 4, "the second run of the second pair")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        before = self.log()
        done = self.ergo("compare", "--dry-run", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("6 runs to make, 1 pairs in s.db are whole", done.stdout)
        done = self.ergo("compare", "--json", "-", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1 pair was in s.db before and counts", done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual((result["a"]["runs"], result["b"]["runs"]), (4, 4))
        self.assertEqual(len(self.log()) - len(before), 6, "three pairs were left")
        self.assertEqual(self.log()[len(before):][:2], before[2:], "the half pair, both sides in their order")
        self.assertEqual([n for n in result["notes"] if "partner" in n], [])
        stored = self.compare_json("s.db")
        self.assertEqual([q["change"] for q in stored["quantities"]], [q["change"] for q in result["quantities"]])

    def test_the_same_call_measures_nothing_again_and_more_pairs_are_added(self):
        def words(pairs):
            return ["--sim", "v100", "-r", pairs, "--store", "s.db", "--", self.logging("a", "0.1"),
                    self.logging("b", "0.1")]

        first = self.compare_json(*words(2))
        self.assertEqual(len(self.log()), 6, "with the warm-ups")
        again = self.compare_json(*words(2))
        self.assertEqual(len(self.log()), 6)
        self.assertEqual(again, first)
        more = self.compare_json(*words(3))
        self.assertEqual(len(self.log()), 10, "two warm-ups and one pair")
        self.assertEqual(more["a"]["runs"], 3)

    def test_another_comparison_in_the_same_store_is_one_of_its_own(self):
        for name in ("a", "c"):
            self.compare_json("--sim", "v100", "-r", "2", "-w", "0", "--store", "s.db", "--", self.logging(name, "0.1"),
                              self.logging("b", "0.1"))
        self.assertEqual(len(self.log()), 8)

    def test_a_pair_that_failed_is_made_again_once_the_command_works(self):
        words = ["--sim", "v100", "-r", "2", "-w", "0", "--store", "s.db", "--", self.logging("a", "0.1"),
                 "test -e works && sleep 0.1"]
        self.assertEqual(self.ergo("compare", *words).returncode, 1)
        (self.folder / "works").touch()
        self.assertEqual(self.compare_json(*words)["b"]["runs"], 2)

    def test_a_signal_ends_it_and_its_number_is_the_exit_code(self):
        process = self.start("compare", "-r", "2", "--", "touch began; sleep 30", "sleep 30", start_new_session=True)
        self.wait_for(lambda: (self.folder / "began").exists(), "the first run")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), 128 + signal.SIGTERM)
        self.assertIn("--store FILE", process.stderr.read())


class BadCalls(CompareCase):
    def refuse(self, words, *hints):
        done = self.ergo("compare", *words)
        self.assertIn(done.returncode, (1, 2, 125), done.stdout)
        for hint in hints:
            self.assertIn(hint, done.stderr)
        return done

    def test_nothing_to_compare(self):
        self.refuse([], "nothing to compare")

    def test_one_command_and_three_commands(self):
        self.refuse(["--", "true"], "two commands")
        self.refuse(["--", "true", "true", "true"], "two commands")

    def test_a_parameter_with_three_values_and_one_that_is_never_used(self):
        self.refuse(["-p", "n=1,2,3", "--", "echo", "{n}"], "two values", "ergo sweep")
        self.refuse(["-p", "n=1,2", "--", "echo"], "{n}")

    def test_stored_runs_and_commands_in_one_call(self):
        self.refuse(["s.db", "--", "true", "true"], "one call")

    def test_bad_numbers(self):
        self.refuse(["-r", "1", "--", "true", "true"])
        self.refuse(["--cooldown", "-3s", "--", "true", "true"])
        self.refuse(["--period", "1us", "--", "true", "true"], "--period")

    def test_stores_that_are_none(self):
        self.refuse(["none.db", "none.db"], "none.db")
        (self.folder / "junk.db").write_bytes(b"\x00garbage" * 100)
        self.refuse(["junk.db", "junk.db"], "junk.db")
        self.refuse(["junk.db@x:a=1", "junk.db"], "number")
        self.refuse(["a=1", "b=2"], "STORE")


class Stored(CompareCase):
    def setUp(self):
        super().setUp()
        done = self.ergo("sweep", "--store", "s.db", "--sim", "v100", "-p", "n=1,3", "-r", "3", "--quiet", "--", "sh",
                         "-c", "sleep 0.$(({n} * 2))")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_two_cells_of_a_sweep_are_pairs(self):
        result = self.compare_json("s.db:n=1", "s.db:n=3")
        self.assertTrue(result["paired"])
        self.assertGreater(self.quantities(result)["time"]["change"]["low"], 0.5)
        self.assertEqual(self.quantities(self.compare_json("s.db"))["time"]["change"],
                         self.quantities(result)["time"]["change"])

    def test_two_stores_are_no_pairs(self):
        done = self.ergo("run", "--store", "r.db", "--sim", "v100", "-r", "3", "--quiet", "--", "sleep", "0.3")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = self.compare_json("s.db:n=1", "r.db")
        self.assertFalse(result["paired"])
        self.assertEqual(result["b"]["runs"], 3)

    def test_simulated_and_estimated_runs_are_not_compared(self):
        done = self.ergo("run", "--store", "e.db", "-r", "2", "--quiet", "--", "sleep", "0.3")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.ergo("compare", "--json", "-", "s.db:n=1", "e.db")
        if done.returncode == 0:
            self.assertNotIn("energy", self.quantities(json.loads(done.stdout)))
        else:
            self.assertIn("cannot be compared", done.stderr)

    def test_a_cell_that_is_not_there_is_answered_with_those_that_are(self):
        done = self.ergo("compare", "s.db:n=7", "s.db:n=1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("n=1; n=3", done.stderr)
        done = self.ergo("compare", "s.db@9:n=1", "s.db:n=1")
        self.assertIn("no experiment 9", done.stderr)

    def test_the_same_runs_twice_are_no_comparison(self):
        done = self.ergo("compare", "s.db:n=1", "./s.db@1:n=1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the same runs", done.stderr)

    def test_runs_of_several_cells_are_no_side(self):
        done = self.ergo("compare", "s.db", "s.db:n=1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("2 cells", done.stderr)


if __name__ == "__main__":
    unittest.main()
