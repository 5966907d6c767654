"""The package: windows, repeats, runs, stores. Without frameworks."""
import ast
import importlib.util
import json
import math
import unittest

from python_case import CHECKOUT, PackageCase


class Monitors(PackageCase):
    def test_importing_loads_next_to_nothing(self):
        done = self.plain("-c", "import sys; before = set(sys.modules); import ergometer\n"
                          "print(sorted(set(sys.modules) - before))")
        loaded = [name.split(".")[0] for name in ast.literal_eval(done.stdout.decode())]
        self.assertLessEqual(set(loaded), {"ergometer", "importlib", "warnings"})

    def test_a_window_without_sensors_is_estimated_and_says_so(self):
        got = self.answer("""
            with ergometer.Monitor() as monitor:
                with monitor.window("work", count=4) as window:
                    sum(range(2_000_000))
            r = window.result
            print(json.dumps([r.name, r.count, r.measured_j, r.estimated_j, r.duration_s, r.joules_per_item, str(r)]))
        """)
        name, count, measured, estimated, duration, per_item, text = got
        self.assertEqual((name, count, measured, per_item), ("work", 4, None, None))
        self.assertGreater(estimated, 0)
        self.assertGreater(duration, 0)
        self.assertIn("estimated", text)

    def test_windows_on_a_simulated_gpu_nest_and_add_up(self):
        got = self.answer("""
            with ergometer.Monitor(period=0.02) as monitor:
                with monitor.window("outer") as outer:
                    with monitor.window("inner") as first:
                        time.sleep(0.3)
                    with monitor.window("inner") as second:
                        time.sleep(0.3)
                html = monitor._repr_html_()
            print(json.dumps([[r.measured_j, r.low_j, r.high_j] for r in (outer.result, first.result, second.result)]
                             + [outer.result.simulated, outer.result.channels[0].channel, html]))
        """, before=("--sim", "v100"))
        outer, first, second, simulated, channel, html = got
        self.assertTrue(simulated)
        self.assertEqual(channel, "gpu0")
        for joules, low, high in (outer, first, second):
            self.assertTrue(0 < low <= joules <= high)
        self.assertLessEqual(first[0] + second[0], outer[2])
        self.assertIn("simulated", html)

    def test_decorators_cancelling_and_failures(self):
        got = self.answer("""
            with ergometer.Monitor() as monitor:
                @monitor.window("call", count=2)
                def call(x):
                    "Doc."
                    return x + 1
                values = [call(1), call(2)]
                with monitor.window("cancelled") as cancelled:
                    cancelled.cancel()
                try:
                    with monitor.window("failed") as failed:
                        raise KeyError("x")
                except KeyError:
                    pass
                key = monitor.begin("twice")
                monitor.end(key)
                try:
                    monitor.end(key)
                    twice = "no error"
                except ergometer.ErgometerError as error:
                    twice = str(error)
                names = [r.name for r in monitor.results]
            try:
                monitor.begin("late")
                late = "no error"
            except ergometer.ErgometerError as error:
                late = str(error)
            print(json.dumps([values, call.__doc__, names, cancelled.result, failed.result, twice, late]))
        """)
        values, doc, names, cancelled, failed, twice, late = got
        self.assertEqual((values, doc, names), ([2, 3], "Doc.", ["call", "call", "twice"]))
        self.assertIsNone(cancelled)
        self.assertIsNone(failed)
        self.assertIn("open", twice)
        self.assertIn("closed", late)

    def test_threads_and_forks(self):
        got = self.answer("""
            import threading
            monitor = ergometer.Monitor()
            def work(i):
                for _ in range(5):
                    with monitor.window(f"thread{i}"):
                        time.sleep(0.005)
            threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
            for t in threads: t.start()
            for t in threads: t.join()
            reading, writing = os.pipe()
            pid = os.fork()
            if pid == 0:
                with monitor.window("child") as window:
                    time.sleep(0.05)
                os.write(writing, json.dumps([window.result.duration_s, len(monitor.results)]).encode())
                os._exit(0)
            os.waitpid(pid, 0)
            child = json.loads(os.read(reading, 4096))
            with monitor.window("after") as after:
                pass
            print(json.dumps([len(monitor.results), child, after.result.name]))
        """)
        count, child, after = got
        self.assertEqual((count, after), (21, "after"))
        self.assertGreaterEqual(child[0], 0.05)
        self.assertEqual(child[1], 1)

    def test_a_fork_in_the_middle_of_everything(self):
        # Threads measure, read and close while the process forks again and again: no child hangs, none sees the parent's
        # windows, and the parent's count is right.
        got = self.answer("""
            import signal, threading
            monitor = ergometer.Monitor(period=0.002)
            stop = threading.Event()
            def work():
                while not stop.is_set():
                    with monitor.window("thread"):
                        monitor.samples()
            def others():
                while not stop.is_set():
                    ergometer.Monitor(period=0.001).close()
            threads = [threading.Thread(target=work) for _ in range(2)] + [threading.Thread(target=others)]
            for t in threads: t.start()
            key = monitor.begin("before")
            statuses = []
            for _ in range(20):
                pid = os.fork()
                if pid == 0:
                    signal.alarm(30)
                    wrong = len(monitor.results)
                    try:
                        monitor.end(key)
                        wrong += 1
                    except ergometer.ErgometerError:
                        pass
                    with monitor.window("child") as window:
                        pass
                    wrong += [r.name for r in monitor.results] != ["child"] or window.result is None
                    monitor.close()
                    os._exit(wrong)
                statuses.append(os.waitpid(pid, 0)[1])
            stop.set()
            for t in threads: t.join()
            monitor.end(key)
            print(json.dumps([statuses, {r.name for r in monitor.results} == {"thread", "before"}]))
        """, before=("--sim", "v100"))
        self.assertEqual(got, [[0] * 20, True])

    def test_workers_of_multiprocessing_measure_for_themselves(self):
        got = self.answer("""
            import multiprocessing
            monitor = ergometer.Monitor()
            def work(i):
                with monitor.window("worker", count=i + 1) as window:
                    time.sleep(0.02)
                return [window.result.count, len(monitor.results), window.result.estimated_j is not None]
            with monitor.window("all") as outer:
                with multiprocessing.get_context("fork").Pool(2) as pool:
                    answers = pool.map(work, range(2), chunksize=1)
            print(json.dumps([sorted(answers), [r.name for r in monitor.results]]))
        """)
        answers, names = got
        self.assertEqual([(count, estimated) for count, _, estimated in answers], [(1, True), (2, True)])
        self.assertEqual(names, ["all"])

    def test_other_threads_run_while_one_measures(self):
        # A reading of the simulated K80 takes a while; the GIL is not held for it.
        got = self.answer("""
            import threading
            with ergometer.Monitor(period=0.5) as monitor:
                counted, stop = [0], threading.Event()
                def count():
                    while not stop.is_set():
                        counted[0] += 1
                thread = threading.Thread(target=count)
                thread.start()
                for _ in range(50):
                    with monitor.window("w"):
                        pass
                stop.set()
                thread.join()
            print(json.dumps([counted[0], len(monitor.results)]))
        """, before=("--sim", "k80"))
        self.assertGreater(got[0], 100)
        self.assertEqual(got[1], 50)

    def test_closing_while_others_measure(self):
        got = self.answer("""
            import threading
            ends = []
            monitor = ergometer.Monitor(period=0.001)
            def work():
                try:
                    while True:
                        with monitor.window("w"):
                            monitor.samples()
                except ergometer.ErgometerError as error:
                    ends.append(error.code)
            threads = [threading.Thread(target=work) for _ in range(4)]
            for t in threads: t.start()
            time.sleep(0.2)
            monitor.close()
            for t in threads: t.join(30)
            print(json.dumps([ends, any(t.is_alive() for t in threads)]))
        """)
        self.assertFalse(got[1])
        self.assertEqual(len(got[0]), 4)
        self.assertLessEqual(set(got[0]), {"invalid_argument", "not_found"})

    def test_a_monitor_that_nobody_closes_ends_with_the_program(self):
        for ending in ("", "raise SystemExit(3)", "os.kill(os.getpid(), signal.SIGINT)"):
            done = self.plain("-c", "import ergometer, os, signal\nm = [ergometer.Monitor(period=0.001) for _ in range(4)]\n"
                              "m[0].begin('open')\n" + ending)
            self.assertEqual(done.returncode, {"": 0, "raise SystemExit(3)": 3}.get(ending, -2), done.stderr)

    def test_a_package_without_its_native_module_says_so(self):
        # As when PYTHONPATH names the sources. Marks work; the rest tells what to do.
        self.environment["PYTHONPATH"] = str(CHECKOUT / "python")
        done = self.plain("-c", "import ergometer; ergometer.mark.begin('x'); ergometer.Monitor()")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"ErgometerError", done.stderr)
        self.assertIn(b"pip install", done.stderr)

    def test_errors_carry_fact_remedy_and_kind(self):
        got = self.answer("""
            import pickle
            found = []
            for call in (lambda: ergometer.Monitor(period=0), lambda: ergometer.Store("missing.db"),
                         lambda: ergometer.advise("missing.csv")):
                try:
                    call()
                except ergometer.ErgometerError as error:
                    again = pickle.loads(pickle.dumps(error))
                    found.append([error.message, error.remedy, error.code, str(error) == str(again)])
            print(json.dumps(found))
        """)
        self.assertEqual([code for _, _, code, _ in got], ["invalid_argument", "not_found", "not_found"])
        self.assertTrue(all(message and same for message, _, _, same in got), got)
        self.assertIn("1 ms", got[0][1])

    def test_a_name_that_is_no_text_of_unicode_does_not_stop_the_program(self):
        got = self.answer("""
            with ergometer.Monitor() as monitor, monitor.window("a\\udcffb") as window:
                pass
            print(json.dumps(window.result.name))
        """)
        self.assertEqual(got, "a?b")

    def test_sensors_of_a_machine_with_and_without_a_gpu(self):
        script = """
            s = ergometer.sensors()
            print(json.dumps([s.found, s.missing, s.gpus, str(s), s._repr_html_()]))
        """
        found, missing, gpus, text, html = self.answer(script)
        self.assertEqual(gpus, [])
        self.assertTrue(all(row["what"] and row["why"] for row in missing))
        self.assertIn("missing: ", text)
        found, missing, gpus, text, html = self.answer(script, before=("--sim", "v100"))
        self.assertEqual([(gpu["index"], gpu["simulated"]) for gpu in gpus], [(0, True)])
        self.assertIn("nvml.total_energy@gpu0", {row["signal"] for row in found if row["in_total"]})
        self.assertIn("simulated", text)
        self.assertIn("<table>", html)

    def test_samples_of_a_window(self):
        got = self.answer("""
            with ergometer.Monitor(period=0.02) as monitor:
                time.sleep(0.1)
                with monitor.window("work") as window:
                    time.sleep(0.5)
                time.sleep(0.1)
                signals = monitor.signals()
                energy = next(name for name in signals if name.startswith("nvml.total_energy"))
                rows = monitor.samples(energy, window.result)
                try:
                    monitor.samples("nothing")
                    unknown = ""
                except ergometer.ErgometerError as error:
                    unknown = str(error)
                print(json.dumps([signals, rows, len(monitor.samples(energy)), window.result.begin_ns, window.result.end_ns,
                                  window.result.measured_j, unknown, len(monitor.samples(window=window.result))]))
        """, before=("--sim", "v100"))
        signals, rows, everything, begin, end, joules, unknown, in_window = got
        self.assertEqual(signals["gpu0.sm_utilization"], "%")
        self.assertGreater(len(rows), 5)
        self.assertGreater(everything, len(rows))
        self.assertGreater(in_window, len(rows))
        self.assertEqual({row["unit"] for row in rows}, {"J"})
        times = [row["time_ns"] for row in rows]
        self.assertEqual(times, sorted(times))
        self.assertTrue(begin <= times[0] and times[-1] <= end)
        self.assertAlmostEqual((end - begin) / 1e9, 0.5, delta=0.4)
        # The counter's rise within the window is no more than what the window cost in all.
        self.assertLessEqual(rows[-1]["value"] - rows[0]["value"], 1.1 * joules)
        self.assertIn("nvml.total_energy", unknown)

    def test_more_samples_than_the_first_buffer_holds(self):
        got = self.answer("""
            with ergometer.Monitor(period=0.001) as monitor:
                name = next(iter(monitor.signals()))
                while len(monitor.samples(name)) < 1500:
                    time.sleep(0.1)
                rows = monitor.samples(name)
            print(json.dumps([len(rows), len({row["time_ns"] for row in rows})]))
        """, before=("--sim", "v100"))
        self.assertGreaterEqual(got[0], 1500)
        self.assertEqual(got[0], got[1])


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
