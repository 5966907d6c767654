"""The package: repeats, runs, stores. Without frameworks."""
import importlib.util
import json
import math
import unittest

from python_case import PackageCase


class Measuring(PackageCase):
    def test_the_median_lies_in_its_interval(self):
        got = self.answer("""
            m = ergometer.measure(lambda: time.sleep(0.01), repeat=6, min_time=0.05, name="sleep")
            print(json.dumps([m.name, m.repeats, m.number, m.confidence, m.seconds, m.seconds_interval, m.joules,
                              m.estimated_joules, len(m.results), str(m)]))
        """)
        name, repeats, number, confidence, seconds, (low, high), joules, estimated, results, text = got
        self.assertEqual((name, repeats, results, joules), ("sleep", 6, 6, None))
        self.assertGreaterEqual(number, 1)
        self.assertAlmostEqual(confidence, 1 - 2 / 2**6)
        self.assertTrue(0.01 <= low <= seconds <= high)
        self.assertGreater(estimated, 0)
        self.assertIn("estimated", text)

    def test_joules_on_a_simulated_gpu(self):
        got = self.answer("""
            m = ergometer.measure(lambda: time.sleep(0.1), repeat=3, number=2)
            print(json.dumps([m.joules, m.joules_interval, m.estimated_joules, m.confidence]))
        """, before=("--sim", "v100"))
        joules, (low, high), estimated, confidence = got
        self.assertTrue(0 < low < joules < high)
        self.assertIsNone(estimated)
        self.assertAlmostEqual(confidence, 0.75)

    def test_order_statistics(self):
        got = self.answer("""
            from ergometer._measure import median_interval
            print(json.dumps([median_interval([float(i) for i in range(n)]) for n in (1, 5, 6, 10, 20)]))
        """)
        # Ranks and confidences from the binomial distribution with p = 1/2.
        def covered(n, k):
            return 1 - 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n

        expected = [(0, 0, 0), (0, 4, covered(5, 0)), (0, 5, covered(6, 0)), (1, 8, covered(10, 1)), (5, 14, covered(20, 5))]
        for (low, high, confidence), wanted in zip(got, expected):
            self.assertEqual((low, high), wanted[:2])
            self.assertAlmostEqual(confidence, wanted[2])


class Running(PackageCase):
    def test_a_report_with_its_windows(self):
        got = self.answer("""
            code = ("from ergometer import mark; import time, sys\\n"
                    "for i in range(2):\\n    with mark.window('phase', count=5): time.sleep(0.1)\\nsys.exit(3)")
            import sys
            report = ergometer.run([sys.executable, "-c", code], repeat=2, no_hooks=True)
            print(json.dumps([report["schema"], report.exit_code, len(report["runs"]), report.windows(), report._repr_html_()]))
        """)
        schema, code, runs, windows, html = got
        self.assertEqual((schema, code, runs), ("ergo.run/1", 3, 2))
        self.assertEqual([(w["run"], w["name"], w["index"], w["count"]) for w in windows],
                         [(0, "phase", 0, 5), (0, "phase", 1, 5), (1, "phase", 0, 5), (1, "phase", 1, 5)])
        self.assertIn("<table>", html)

    def test_a_mistake_is_an_exception(self):
        done = self.plain("-c", "import ergometer; ergometer.run(['true'], period='never')")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"ErgometerError", done.stderr)
        self.assertIn(b"--period", done.stderr)


class StoreCase(PackageCase):
    def setUp(self):
        super().setUp()
        script = self.script("""
            from ergometer import mark
            import time
            for i in range(2):
                with mark.window("phase", count=5):
                    time.sleep(0.15)
        """)
        done = self.ergo("--sim", "v100", "run", "--quiet", "--period", "20ms", "--no-hooks", "--store", "s.db", "--json",
                         "s.json", "--", self.python, script)
        self.assertEqual(done.returncode, 0, done.stderr)


class Stores(StoreCase):
    def test_what_it_holds_is_what_the_report_says(self):
        store, runs, windows, signals, samples = self.answer("""
            with ergometer.Store("s.db") as store:
                name = next(s for s in store.signals(1) if "power" in s)
                print(json.dumps([store.experiments(), store.runs(), store.windows(), store.signals(1),
                                  store.samples(1, name)]))
        """)
        report = json.loads((self.folder / "s.json").read_text())["runs"][0]
        self.assertEqual(len(store), 1)
        self.assertEqual((runs[0]["status"], runs[0]["exit_code"], store[0]["status"]), ("done", 0, "done"))
        self.assertAlmostEqual(runs[0]["measured_j"], report["total"]["measured_j"], places=6)
        self.assertAlmostEqual(runs[0]["duration_s"], report["duration_s"], places=6)
        self.assertEqual([(w["name"], w["count"]) for w in windows], [("phase", 5)] * 2)
        for window, reported in zip(windows, report["windows"]):
            joules = next(e["joules"] for e in reported["energy"] if e["channel"] == "gpu0")
            self.assertAlmostEqual(window["gpu0_j"], joules, places=6)
        times = [sample["time_s"] for sample in samples]
        self.assertEqual(times, sorted(times))
        self.assertGreater(len(times), 3)

    def test_scopes_and_parameters(self):
        done = self.ergo("--sim", "v100", "sweep", "-p", "size=1,2", "-r", "1", "--quiet", "--no-hooks", "--store", "sweep.db",
                         "--", self.python, self.folder / "script.py", "{size}")
        self.assertEqual(done.returncode, 0, done.stderr)
        runs, whole, items, one = self.answer("""
            with ergometer.Store("sweep.db") as store:
                runs = store.runs()
                print(json.dumps([runs, store.windows(scope="run"), store.windows(scope="items"),
                                  store.windows(runs[1]["id"], scope="run")]))
        """)
        self.assertEqual(sorted(run["param.size"] for run in runs), ["1", "2"])
        self.assertEqual([window["gpu0_j"] > 0 for window in whole], [True, True])
        self.assertEqual([(window["name"], window["count"]) for window in items], [("phase", 10)] * 2)
        self.assertEqual(one, whole[1:])

    def test_what_is_not_there_is_an_error(self):
        got = self.answer("""
            store = ergometer.Store("s.db")
            found = []
            for call in (lambda: store.samples(99), lambda: store.samples(1, "nothing"), lambda: store.windows(99),
                         lambda: store.windows(scope="all"), lambda: (store.close(), store.runs())):
                try:
                    call()
                    found.append("no error")
                except ergometer.ErgometerError as error:
                    found.append(error.code)
            print(json.dumps(found))
        """)
        self.assertEqual(got, ["not_found", "not_found", "not_found", "invalid_argument", "invalid_argument"])

    def test_a_store_after_a_fork(self):
        got = self.answer("""
            store = ergometer.Store("s.db")
            before = len(store.windows())
            pid = os.fork()
            if pid == 0:
                os._exit(0 if len(store.windows()) == before else 1)
            status = os.waitpid(pid, 0)[1]
            print(json.dumps([status, len(store.windows()) == before]))
        """)
        self.assertEqual(got, [0, True])

    def test_other_files_are_refused(self):
        (self.folder / "text").write_text("no database at all, but long enough to be read as one " * 40)
        for name in ("text", "missing.db"):
            done = self.plain("-c", f"import ergometer; ergometer.Store({name!r})")
            self.assertIn(b"ErgometerError", done.stderr)


class Frames(StoreCase):
    @unittest.skipUnless(importlib.util.find_spec("pandas"), "pandas is not installed for this Python")
    def test_frames(self):
        shape = self.answer("""
            store = ergometer.Store("s.db")
            frame = store.samples_frame(1)
            print(json.dumps([list(frame.columns), len(store.windows_frame()), len(store.runs_frame())]))
        """)
        self.assertEqual(shape, [["signal", "time_s", "value", "half_width_s"], 2, 1])

    @unittest.skipUnless(importlib.util.find_spec("pandas"), "pandas is not installed for this Python")
    def test_frames_of_a_monitor(self):
        got = self.answer("""
            with ergometer.Monitor(period=0.02) as monitor:
                with monitor.window("work", count=3) as window:
                    time.sleep(0.2)
                windows, samples = monitor.frame(), monitor.samples_frame(window=window.result)
            print(json.dumps([list(windows["name"]), list(samples.columns), sorted(set(samples["unit"])), len(samples),
                              len(monitor.results)]))
        """, before=("--sim", "v100"))
        self.assertEqual(got[:2], [["work"], ["signal", "unit", "time_ns", "value"]])
        self.assertIn("J", got[2])
        self.assertGreater(got[3], 5)


if __name__ == "__main__":
    unittest.main()
