"""The package: power limits, and what notebooks show."""
import csv
import importlib.util
import io
import json
import unittest

from python_case import PackageCase

#: time and energy of one workload on a made-up card: a cliff below 120 W, little to gain above 200 W.
SWEEP = [(100, 1.90, 171.0), (125, 1.40, 161.0), (150, 1.20, 167.0), (175, 1.09, 178.0), (200, 1.03, 192.0), (225, 1.01, 206.0),
         (250, 1.00, 220.0)]


class Models(PackageCase):
    def setUp(self):
        super().setUp()
        lines = [f"card,net,b1,{w},{t},{j}" for w, t, j in SWEEP]
        (self.folder / "sweep.csv").write_text("gpu,workload,config,power_limit_w,time_s,energy_j\n" + "\n".join(lines) + "\n")

    def test_advice_from_a_file(self):
        rows, html, text = self.answer("""
            advice = ergometer.advise("sweep.csv", max_slowdown="10%")
            print(json.dumps([advice, advice._repr_html_(), str(advice)]))
        """)
        self.assertEqual(len(rows), 1)
        self.assertEqual((rows[0]["workload"], rows[0]["power_limit_w"]), ("net", 175.0))
        self.assertLess(rows[0]["saving"]["low"], rows[0]["saving"]["value"])
        self.assertIn("power_limit_w", html)
        self.assertIn("…", text)

    def test_predictions_from_rows(self):
        rows = self.answer(f"""
            rows = [dict(gpu="card", workload="net", config="b1", power_limit_w=w, time_s=t, energy_j=j)
                    for w, t, j in {[SWEEP[-1], SWEEP[2]]}]
            print(json.dumps(ergometer.predict(rows, limits=[125, 200])))
        """)
        self.assertEqual([row["power_limit_w"] for row in rows], [125, 200])
        for row in rows:
            self.assertTrue(row["energy_low"] <= row["energy_j"] <= row["energy_high"])
        self.assertLess(rows[1]["time_s"], rows[0]["time_s"])

    @unittest.skipUnless(importlib.util.find_spec("pandas"), "pandas is not installed for this Python")
    def test_frames_in_and_out(self):
        got = self.answer("""
            import pandas
            frame = pandas.read_csv("sweep.csv")
            advice = ergometer.advise(frame, objective="edp").frame()
            predicted = ergometer.predict(frame.iloc[[0, 6]], train=frame, limits="100..250:50").frame()
            print(json.dumps([float(advice["saving.value"][0]), len(predicted)]))
        """)
        self.assertGreater(got[0], 0)
        self.assertEqual(got[1], 4)

    def test_the_package_says_what_the_program_says(self):
        curve = [f"card,net,b1,{w},{t},{j}" for w, t, j in SWEEP]
        other = [f"card,other,8,{w},{2 * t * (1 + 0.01 * (w == 125))},{1.7 * j}" for w, t, j in SWEEP]
        header = "gpu,workload,config,power_limit_w,time_s,energy_j\n"
        (self.folder / "two.csv").write_text(header + "\n".join(curve + other) + "\n")
        (self.folder / "probes.csv").write_text(header + "\n".join((other[-1], other[2])) + "\n")
        advice, predicted = self.answer("""
            print(json.dumps([ergometer.advise("two.csv", objective="edp", max_slowdown=0.2, limits="100..250:50"),
                              ergometer.predict("probes.csv", train="sweep.csv", limits=[125, 200], method="gp")]))
        """)
        done = self.ergo("advise", "two.csv", "--objective", "edp", "--max-slowdown", "0.2", "--limits", "100..250:50", "--json",
                         "-")
        self.assertEqual(advice, json.loads(done.stdout)["advice"])
        done = self.ergo("predict", "--probes", "probes.csv", "--train", "sweep.csv", "--limits", "125,200", "--method", "gp")
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        self.assertEqual(len(rows), len(predicted))
        for row, ours in zip(rows, predicted):
            self.assertEqual(list(row), list(ours))
            for name, value in row.items():
                if isinstance(ours[name], str):
                    self.assertEqual(ours[name], value)
                else:
                    self.assertAlmostEqual(ours[name] / float(value), 1, places=6, msg=name)

    def test_no_advice_is_an_answer_too(self):
        # One limit says nothing about the others.
        (self.folder / "one.csv").write_text("gpu,workload,config,power_limit_w,time_s,energy_j\ncard,net,b1,250,1,220\n")
        rows = self.answer("""
            print(json.dumps(ergometer.advise("one.csv", limits="100..250:25")))
        """)
        done = self.ergo("advise", "one.csv", "--limits", "100..250:25", "--json", "-")
        self.assertEqual(rows, json.loads(done.stdout)["advice"])

    def test_advice_from_a_store(self):
        done = self.ergo("--sim", "v100", "sweep", "--power-limits", "150,300", "-r", "1", "--quiet", "--no-hooks", "--cooldown",
                         "0", "--store", "s.db", "--", "sleep", "0.5")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = self.answer("""
            print(json.dumps(ergometer.advise("s.db")))
        """)
        self.assertEqual(rows, json.loads(self.ergo("advise", "s.db", "--json", "-").stdout)["advice"])

    def test_a_mistake_is_an_exception_with_ergos_words(self):
        done = self.plain("-c", "import ergometer; ergometer.advise('missing.csv')")
        self.assertIn(b"ErgometerError", done.stderr)
        self.assertIn(b"missing.csv", done.stderr)
        done = self.plain("-c", "import ergometer; ergometer.predict([{'gpu': 'x'}])")
        self.assertIn(b"ErgometerError", done.stderr)


class Notebooks(PackageCase):
    """What Jupyter shows: well-formed HTML in which nothing of the program's own text is markup."""

    def test_everything_has_a_representation(self):
        pages = self.answer("""
            with ergometer.Monitor() as monitor:
                with monitor.window("<b>&", count=2) as window:
                    time.sleep(0.05)
                m = ergometer.measure(lambda: None, repeat=2, number=1, monitor=monitor, name="<i>f")
                pages = [monitor._repr_html_(), window.result._repr_html_(), m._repr_html_(),
                         ergometer.Table([{"<a>": "<b>", "x": 1.5}])._repr_html_()]
            print(json.dumps(pages))
        """)
        import html.parser

        class Strict(html.parser.HTMLParser):
            def __init__(self):
                super().__init__()
                self.open, self.seen = [], set()

            def handle_starttag(self, tag, attributes):
                self.open.append(tag)
                self.seen.add(tag)

            def handle_endtag(self, tag):
                assert self.open.pop() == tag, tag

        for page in pages:
            parser = Strict()
            parser.feed(page)
            self.assertEqual(parser.open, [], page)
            self.assertLessEqual(parser.seen, {"p", "table", "tr", "td", "th"}, page)


if __name__ == "__main__":
    unittest.main()
