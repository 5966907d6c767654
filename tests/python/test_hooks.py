"""The hooks leave programs as they are: start-up, paths, output, exit codes, tracebacks."""
import json
import shutil
import unittest

from python_case import ERGO, HOOKS, PythonCase, names


class Chaining(PythonCase):
    """The program's own sitecustomize runs exactly as before."""

    def own(self, text):
        self.script(text, "own/sitecustomize.py")
        self.environment["PYTHONPATH"] = str(self.folder / "own")

    def test_it_runs_once(self):
        self.own("print('own sitecustomize', __name__, __file__)")
        same = self.assert_same("-c", "import sitecustomize; print(sitecustomize.__file__)")
        self.assertEqual(same.stdout.count(b"own sitecustomize"), 1)

    def test_one_that_raises_says_so(self):
        self.own("raise ValueError('broken')")
        same = self.assert_same("-c", "print('goes on')")
        self.assertIn(b"broken", same.stderr)
        self.assertEqual(same.stdout, b"goes on\n")

    def test_one_that_lacks_a_module_says_so(self):
        self.own("import there_is_no_such_module")
        self.assertIn(b"there_is_no_such_module", self.assert_same("-c", "pass").stderr)

    def test_one_that_changes_the_path_is_heard(self):
        self.own("import sys; sys.path.insert(0, '/somewhere')")
        self.assertIn(b"/somewhere", self.assert_same("-c", "import sys; print(sys.path)").stdout)

    def test_usercustomize_still_runs(self):
        self.script("print('user')", "own/usercustomize.py")
        self.environment["PYTHONPATH"] = str(self.folder / "own")
        self.assert_same("-c", "pass")


class Untouched(PythonCase):
    """Exit code and output are as without Ergometer, byte for byte."""

    def test_a_program_sees_no_difference(self):
        self.assert_same("-c", "import sys; print(sys.path, sys.argv, sorted(m for m in sys.modules if 'custom' in m))")

    def test_isolated_and_site_less_interpreters(self):
        for flags in (["-I"], ["-S"], ["-E"], ["-s"], ["-I", "-S"]):
            self.assert_same(*flags, "-c", "import sys; print(sys.flags, [m for m in sys.modules if 'ergo' in m])")

    def test_a_crash_has_the_same_traceback(self):
        script = self.script("""
            def inner():
                raise KeyError("gone")
            def outer():
                inner()
            outer()
        """)
        same = self.assert_same(script)
        self.assertEqual(same.returncode, 1)
        self.assertIn(b"KeyError", same.stderr)

    def test_exit_codes(self):
        for code in ("raise SystemExit(7)", "raise SystemExit('text')", "import os; os._exit(9)",
                     "import os, signal; os.kill(os.getpid(), signal.SIGINT)", "import os; os.abort()",
                     "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
                     "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"):
            plain, hooked = self.plain("-c", code), self.hooked("-c", code)
            expected = plain.returncode if plain.returncode >= 0 else 128 - plain.returncode
            self.assertEqual(hooked.returncode, expected, code)
            self.assertEqual(plain.stderr, hooked.stderr, code)

    def test_workers(self):
        script = self.script("""
            import multiprocessing, subprocess, sys
            def work(x):
                return x * x
            if __name__ == "__main__":
                for method in ("fork", "spawn"):
                    with multiprocessing.get_context(method).Pool(2) as pool:
                        print(method, pool.map(work, range(5)))
                print(subprocess.run([sys.executable, "-c", "import sys; print(sys.path[1:])"], capture_output=True, text=True).stdout)
        """)
        self.assert_same(script)

    def test_an_import_that_fails_in_a_watched_module(self):
        self.script("raise ImportError('no backend')", "torch/optim/optimizer.py")
        for package in ("torch", "torch/optim"):
            self.script("", package + "/__init__.py")
        same = self.assert_same(self.script("import torch.optim.optimizer"))
        self.assertIn(b"no backend", same.stderr)

    def test_a_failure_in_a_watched_module_has_the_same_traceback(self):
        self.script("def f():\n    return 1 / 0\nf()\n", "keras/src/callbacks/callback_list.py")
        for package in ("keras", "keras/src", "keras/src/callbacks"):
            self.script("", package + "/__init__.py")
        same = self.assert_same(self.script("import keras.src.callbacks.callback_list"))
        self.assertIn(b"ZeroDivisionError", same.stderr)


class Paths(PythonCase):
    def path_of_child(self, *options):
        done = self.ergo("run", "--quiet", *options, "--", "sh", "-c", 'echo "${PYTHONPATH-unset}"')
        return done.stdout.strip()

    def test_the_folder_stands_first_and_once(self):
        self.assertEqual(self.path_of_child(), HOOKS)
        self.environment["PYTHONPATH"] = "/a:/b"
        self.assertEqual(self.path_of_child(), HOOKS + ":/a:/b")
        self.environment["PYTHONPATH"] = HOOKS + ":/a"
        self.assertEqual(self.path_of_child(), HOOKS + ":/a")

    def test_no_hooks_leaves_the_environment_alone(self):
        self.assertEqual(self.path_of_child("--no-hooks"), "unset")
        self.environment["PYTHONPATH"] = "/a"
        self.assertEqual(self.path_of_child("--no-hooks"), "/a")

    def test_an_ergo_without_the_folder_works_without_hooks(self):
        (self.folder / "bin").mkdir()
        alone = shutil.copy(ERGO, self.folder / "bin/ergo")
        import subprocess

        done = subprocess.run([alone, "run", "--quiet", "--", "sh", "-c", 'echo "${PYTHONPATH-unset}"'],
                              env=self.environment, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "unset\n", ""))

    def test_an_ergo_in_an_ergo(self):
        inner = self.folder / "inner.json"
        done = self.ergo("run", "--quiet", "--", ERGO, "run", "--quiet", "--json", inner, "--", self.python, "-c",
                         "import sys; print(sum(type(f).__name__ == '_ErgometerFinder' for f in sys.meta_path))")
        self.assertEqual((done.returncode, done.stdout), (0, "1\n"), done.stderr)
        self.assertEqual(json.loads(inner.read_text())["runs"][0]["exit_code"], 0)

    def test_outside_ergo_the_folder_does_nothing(self):
        self.environment["PYTHONPATH"] = HOOKS
        done = self.plain("-c", "import sys; print([type(f).__name__ for f in sys.meta_path], sys.path)")
        self.assertNotIn(b"Ergometer", done.stdout)
        self.assertNotIn(b"ergometer_hooks", done.stdout)


FAKE_KERAS = """
    class CallbackList:
        def __init__(self, callbacks=()):
            self.callbacks = list(callbacks)
        def _call(self, name):
            for callback in self.callbacks:
                callback(name)
        def on_train_begin(self, logs=None): self._call("on_train_begin")
        def on_train_end(self, logs=None): self._call("on_train_end")
        def on_epoch_begin(self, epoch, logs=None): self._call("on_epoch_begin")
        def on_epoch_end(self, epoch, logs=None): self._call("on_epoch_end")
        def on_train_batch_end(self, batch, logs=None): self._call("on_train_batch_end")
        def on_test_begin(self, logs=None): self._call("on_test_begin")
        def on_test_end(self, logs=None): self._call("on_test_end")
    def fit(epochs=2, batches=3, validate=True, callbacks=()):
        calls = CallbackList(callbacks)
        calls.on_train_begin()
        for epoch in range(epochs):
            calls.on_epoch_begin(epoch)
            for batch in range(batches):
                calls.on_train_batch_end(batch)
            if validate:
                calls.on_test_begin()
                calls.on_test_end()
            calls.on_epoch_end(epoch)
        calls.on_train_end()
"""


class StandIns(PythonCase):
    """Marks without a framework: a module of the right name that loops as Keras does."""

    def setUp(self):
        super().setUp()
        for package in ("keras", "keras/src", "keras/src/callbacks"):
            self.script("", package + "/__init__.py")
        self.script(FAKE_KERAS, "keras/src/callbacks/callback_list.py")

    def test_epochs_become_windows(self):
        run, windows = self.windows(self.script("from keras.src.callbacks.callback_list import fit\nfit()\n"))
        self.assertEqual(sorted(names(windows)), [("epoch", None)] * 2 + [("fit", None)] + [("validation", None)] * 2)
        self.assertEqual(sum(count for name, count in windows if name == "step"), 6)
        fit = next(window for window in run["windows"] if window["name"] == "fit")
        for window in run["windows"]:
            self.assertLessEqual(fit["start_s"], window["start_s"] + 1e-9)
            self.assertLessEqual(window["start_s"] + window["duration_s"], fit["start_s"] + fit["duration_s"] + 1e-9)

    def test_no_hooks_no_windows(self):
        _, windows = self.windows(self.script("from keras.src.callbacks.callback_list import fit\nfit()\n"), "--no-hooks")
        self.assertEqual(windows, [])

    def test_grandchildren_are_marked_too(self):
        script = self.script("from keras.src.callbacks.callback_list import fit\nfit(epochs=1)\n", "inner.py")
        outer = self.script(f"import subprocess, sys\nsubprocess.run([sys.executable, {str(script)!r}], check=True)\n")
        _, windows = self.windows(outer)
        self.assertIn(("epoch", None), windows)

    def test_a_training_that_fails_ends_its_windows(self):
        script = self.script("""
            from keras.src.callbacks.callback_list import fit
            def fails(name):
                if name == "on_train_batch_end":
                    raise ValueError("stop")
            for _ in range(2):
                try:
                    fit(callbacks=[fails])
                except ValueError:
                    pass
            fit(epochs=1)
        """)
        run, windows = self.windows(script)
        self.assertEqual([name for name, _ in windows if name == "fit"], ["fit"] * 3)
        fits = [window for window in run["windows"] if window["name"] == "fit"]
        for before, after in zip(fits, fits[1:]):
            self.assertLessEqual(before["start_s"] + before["duration_s"], after["start_s"] + 1e-9)

    def test_a_crash_in_a_callback_has_the_same_traceback(self):
        script = self.script("""
            from keras.src.callbacks.callback_list import fit
            def fails(name):
                if name == "on_epoch_end":
                    raise ValueError("stop")
            fit(callbacks=[fails])
        """)
        same = self.assert_same(script)
        self.assertIn(b"ValueError: stop", same.stderr)

    def test_a_program_that_replaces_the_methods_wins(self):
        script = self.script("""
            from keras.src.callbacks import callback_list
            def quiet(self, *ignored): print("replaced")
            callback_list.CallbackList.on_epoch_begin = quiet
            callback_list.fit(epochs=1)
        """)
        self.assertIn(b"replaced", self.assert_same(script).stdout)

    def test_subclasses_introspection_and_copies(self):
        script = self.script("""
            import copy, inspect, pickle
            from keras.src.callbacks.callback_list import CallbackList
            class Mine(CallbackList):
                def on_train_begin(self, logs=None):
                    print("mine")
                    super().on_train_begin(logs)
            mine = Mine()
            mine.on_train_begin()
            print(inspect.signature(CallbackList.on_epoch_begin), CallbackList.on_epoch_begin.__qualname__)
            print(type(CallbackList.on_epoch_end), inspect.getsource(CallbackList.on_epoch_end))
            copy.copy(mine).on_train_end()
        """)
        self.assert_same(script)

    def test_forked_children_end_no_windows_of_their_parent(self):
        script = self.script("""
            import os
            from keras.src.callbacks.callback_list import fit
            def forks(name):
                if name == "on_epoch_begin":
                    pid = os.fork()
                    if pid == 0:
                        raise SystemExit(0)
                    os.waitpid(pid, 0)
            fit(callbacks=[forks])
        """)
        run, windows = self.windows(script)
        self.assertEqual(run["warnings"], [w for w in run["warnings"] if "end" not in w or "begin" not in w])
        self.assertEqual(len([1 for name, _ in windows if name == "epoch"]), 2)


if __name__ == "__main__":
    unittest.main()
