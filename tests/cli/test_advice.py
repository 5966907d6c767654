"""`ergo advise`, `predict` and `evaluate` from outside: several GPUs, stores, imports, bad words."""
import csv
import io
import json
import os
import threading
import unittest

from ergo_case import ErgoCase

HEAD = "gpu,workload,config,power_limit_w,time_s,energy_j"
# The V100 is faster, the T4 thriftier; only work `a` ran on both.
TWO_GPUS = [("V100", "a", w, t, e) for w, t, e in ((300, 1.0, 250), (200, 1.1, 190), (150, 1.4, 175))] + [
    ("T4", "a", w, t, e) for w, t, e in ((70, 3.0, 180), (65, 3.1, 170), (60, 3.3, 165))] + [
    ("V100", "b", w, t, e) for w, t, e in ((300, 2.0, 500), (200, 2.1, 390), (150, 2.4, 360))]


class Advice(ErgoCase):
    def table(self, rows, head=HEAD, name="t.csv", more=""):
        lines = [f"{gpu},{work},,{watts},{seconds},{joules}{more}" for gpu, work, watts, seconds, joules in rows]
        (self.folder / name).write_text("\n".join([head, *lines]) + "\n")
        return name

    def advise(self, *words):
        done = self.ergo("advise", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_gpus_that_did_the_same_work_stand_side_by_side(self):
        text = self.advise(self.table(TWO_GPUS))
        self.assertIn("a on 2 GPUs, each under its limit", text)
        self.assertNotIn("b on", text)
        rows = {line.split()[0]: line for line in text.split("each under its limit")[1].splitlines() if "on the front" in line}
        self.assertEqual(set(rows), {"V100", "T4"}, "one is faster, the other thriftier")
        self.assertIn("150 W", rows["V100"])
        self.assertIn("1.400 s", rows["V100"])
        self.assertIn("175.0 J", rows["V100"])
        self.assertIn("245 J s", rows["V100"])
        report = json.loads(self.advise("t.csv", "--json", "-"))
        self.assertEqual([c["workload"] for c in report["comparison"]], ["a"])
        self.assertTrue(report["comparison"][0]["comparable"])
        self.assertEqual([g["gpu"] for g in report["comparison"][0]["gpus"]], ["V100", "T4"])
        self.assertNotIn("provenance", report)

    def test_energies_with_the_host_of_one_gpu_alone_are_not_compared(self):
        name = self.table(TWO_GPUS[:3], HEAD + ",host_energy_j", more=",30")
        with (self.folder / name).open("a") as table:
            table.write("".join(f"{g},{w},,{p},{t},{e},\n" for g, w, p, t, e in TWO_GPUS[3:6]))
        text = self.advise(name)
        self.assertIn("energies do not compare", text)
        self.assertNotIn("on the front", text)

    def test_the_page_has_curves_and_the_gpus_side_by_side(self):
        self.advise(self.table(TWO_GPUS), "--report", "page.html")
        page = (self.folder / "page.html").read_text()
        for word in ("<svg", "GPUs side by side", "Saving at the best limit", "T4"):
            self.assertIn(word, page)
        self.assertNotIn("http:", page)
        self.advise("t.csv", "--report", "page.md")
        self.assertIn("| a | T4 |", (self.folder / "page.md").read_text())

    def test_what_is_simulated_says_so(self):
        self.table(TWO_GPUS, HEAD + ",provenance", more=",simulated")
        self.assertIn("simulated", self.advise("t.csv"))
        self.assertEqual(json.loads(self.advise("t.csv", "--json", "-"))["provenance"], "simulated")

    def test_words_that_name_no_limit_or_share_are_refused_with_the_flag(self):
        self.table(TWO_GPUS)
        for words, text in ((("--limits", "0..300:50"), "--limits: '0..300:50'"), (("--limits", "200W"), "--limits"),
                            (("--max-slowdown", "x"), "--max-slowdown: 'x'")):
            done = self.ergo("advise", "t.csv", *words)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(text, done.stderr)
            self.assertRegex(done.stderr, "150,200,250|5%", "what to write instead")
        done = self.ergo("predict", "--probes", "t.csv", "--limits", "-5,100")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--limits", done.stderr)

    def test_limits_that_no_table_reaches_are_called_guesses(self):
        self.table(TWO_GPUS)
        done = self.ergo("predict", "--probes", "t.csv", "--limits", "100,200")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("nothing was measured on V100 below 150 W", done.stderr)
        self.assertNotIn("T4", done.stderr)
        self.assertEqual(self.ergo("predict", "--probes", "t.csv").stderr, "")

    def test_a_table_may_come_through_a_pipe(self):
        self.table(TWO_GPUS)
        from_file = self.ergo("predict", "--probes", "t.csv")
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        writer = threading.Thread(target=lambda: pipe.write_text((self.folder / "t.csv").read_text()))
        writer.start()
        from_pipe = self.ergo("predict", "--probes", "pipe")
        writer.join()
        self.assertEqual((from_pipe.returncode, from_pipe.stdout), (0, from_file.stdout), from_pipe.stderr)

    def test_a_slowdown_without_its_percent_sign_is_asked_back(self):
        self.table(TWO_GPUS)
        for text in ("5", "5.0", " 5", "1"):
            done = self.ergo("advise", "t.csv", "--max-slowdown", text)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(f"slower by {float(text) * 100:g}%", done.stderr)
            self.assertIn(f"write {text.strip()}% if", done.stderr)
        done = self.ergo("advise", "t.csv", "--max-slowdown=-5%")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        for text in ("0", "0%", "0.05", "100%", "500%"):
            self.assertIn("V100, a", self.advise("t.csv", "--max-slowdown", text))

    def test_an_empty_word_is_no_promise_and_no_limit(self):
        self.table(TWO_GPUS)
        for verb in (("advise", "t.csv"), ("predict", "--probes", "t.csv")):
            done = self.ergo(*verb, "--limits", "")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("--limits", done.stderr)
        done = self.ergo("advise", "t.csv", "--max-slowdown", "")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("--max-slowdown", done.stderr)

    def test_advice_on_limits_below_all_measured_ones_is_called_a_guess(self):
        self.table(TWO_GPUS)
        done = self.ergo("advise", "t.csv", "--limits", "100,200")
        self.assertIn("nothing was measured on V100 below 150 W", done.stderr)
        self.assertNotIn("T4", done.stderr)

    def test_a_gpu_under_another_name_is_noticed(self):
        self.table(TWO_GPUS)
        self.table([("Tesla V100", "c", w, t, e) for w, t, e in ((300, 1.0, 250), (150, 1.4, 175))], name="p.csv")
        done = self.ergo("predict", "--train", "t.csv", "--probes", "p.csv")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("of 'Tesla V100', only of 'T4', 'V100'", done.stderr)
        self.table([("V100", "c", w, t, e) for w, t, e in ((300, 1.0, 250), (150, 1.4, 175))], name="p.csv")
        self.assertEqual(self.ergo("predict", "--train", "t.csv", "--probes", "p.csv").stderr, "")

    def test_an_imported_store_is_read_by_all_three(self):
        (self.folder / "summary_power_v100.csv").write_text(
            "dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power\n" + "".join(
                f"set,{net},128,adam,{w},{t},{p}\n" for net, scale in (("one", 1), ("two", 2), ("three", 3))
                for w, t, p in ((250, 60 * scale, 220), (175, 66 * scale, 165), (125, 90 * scale, 120))))
        done = self.ergo("import", "summary_power_v100.csv", "--store", "z.db")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("ergo advise z.db", done.stderr)
        self.assertIn("V100, set-one, bs128-adam", self.advise("z.db"))
        done = self.ergo("evaluate", "z.db", "--probes", "2", "--json", "-")
        self.assertEqual(json.loads(done.stdout)["methods"][0]["macro"]["curves"], 3, done.stderr)
        done = self.ergo("predict", "--probes", "z.db")
        self.assertEqual(len(list(csv.DictReader(io.StringIO(done.stdout)))), 9, done.stderr)

    def test_a_profile_without_a_gpus_name_gets_it_from_the_command_line(self):
        (self.folder / "p.json").write_text(json.dumps({"measurements": [
            {"power_limit": w, "energy": e, "time": t} for w, t, e in ((300, 8.1, 2000), (200, 8.9, 1650), (150, 10, 1600))]}))
        done = self.ergo("import", "p.json", "--store", "p.db")
        self.assertIn("--gpu NAME", done.stderr)
        done = self.ergo("import", "p.json", "--store", "q.db", "--gpu", "A40", "--workload", "bert")
        self.assertNotIn("--gpu NAME", done.stderr)
        self.assertIn("A40, bert", self.advise("q.db"))


if __name__ == "__main__":
    unittest.main()
