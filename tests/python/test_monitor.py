"""The package: windows of a Monitor, its threads, forks and sensors. Without frameworks."""
import ast
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
                inner = [monitor.begin("named"), monitor.begin("named")][-1]
                monitor.end("named", count=1)
                try:
                    monitor.end(inner)
                    inner = "no error"
                except ergometer.ErgometerError as error:
                    inner = str(error)
                monitor.cancel("named")
                try:
                    monitor.end("named")
                    unknown = "no error"
                except ergometer.ErgometerError as error:
                    unknown = str(error)
                names = [r.name for r in monitor.results]
            try:
                monitor.begin("late")
                late = "no error"
            except ergometer.ErgometerError as error:
                late = str(error)
            print(json.dumps([values, call.__doc__, names, cancelled.result, failed.result, twice, late, inner, unknown]))
        """)
        values, doc, names, cancelled, failed, twice, late, inner, unknown = got
        self.assertEqual((values, doc, names), ([2, 3], "Doc.", ["call", "call", "twice", "named"]))
        self.assertIn("open", inner)
        self.assertIn("no window named 'named' is open", unknown)
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


if __name__ == "__main__":
    unittest.main()
