"""The package: wheel, import, types."""
import importlib.util
import shutil
import subprocess
import time
import unittest
import zipfile

from python_case import PACKAGE, PackageCase


def sources_of(checkout):
    """The package as it is in git, without what builds have left."""
    listed = subprocess.run(["git", "ls-files", "python"], cwd=PACKAGE.parent, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        for name in listed.stdout.splitlines():
            if (PACKAGE.parent / name).exists():
                (checkout / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(PACKAGE.parent / name, checkout / name)
    else:
        shutil.copytree(PACKAGE, checkout / "python", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    return checkout / "python"


class Installing(PackageCase):
    def test_a_wheel_from_a_clean_checkout_works_by_itself(self):
        source = sources_of(self.folder / "checkout")
        del self.environment["PYTHONPATH"]
        build = [self.python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
                 "--disable-pip-version-check", "-w", self.folder / "wheels", source]
        done = subprocess.run(list(map(str, build)), env=self.environment, cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        (wheel,) = (self.folder / "wheels").glob("ergometer-*-py3-none-any.whl")
        names = zipfile.ZipFile(wheel).namelist()
        for wanted in ("ergometer/py.typed", "ergometer/__init__.pyi", "ergometer/mark.pyi", "ergometer/aipowermeter/parsers.py"):
            self.assertIn(wanted, names)
        site = self.folder / "site"
        zipfile.ZipFile(wheel).extractall(site)
        self.environment["PYTHONPATH"] = str(site)
        done = self.plain("-c", "import ergometer; print(ergometer.__file__)\n"
                          "with ergometer.Monitor() as m, m.window('w') as w: pass\nprint(w.result)")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(str(site).encode(), done.stdout)

    def test_importing_costs_less_than_an_empty_interpreter(self):
        # Starting Python takes 10 to 20 ms on an idle machine; the aim is 50 ms for the import alone.
        def best(code):
            seconds = []
            for _ in range(9):
                begin = time.perf_counter()
                subprocess.run([self.python, "-S", "-c", code], env=self.environment, check=True)
                seconds.append(time.perf_counter() - begin)
            return min(seconds)

        self.assertLess(best("import ergometer"), 2 * best("pass"))

    def test_the_types_hold(self):
        if not importlib.util.find_spec("mypy"):
            self.skipTest("mypy is not installed for this Python (tools/python_environments)")
        user = self.script("""
            import ergometer
            from ergometer import mark
            from ergometer.aipowermeter import experiment, parsers

            def train(monitor: ergometer.Monitor) -> float:
                with monitor.window("train", count=3) as window, mark.window("epoch", total=4):
                    pass
                result = window.result
                assert result is not None
                return result.measured_j or 0.0

            @mark.window("predict")
            def predict(x: int) -> str:
                return str(x)

            text: str = predict(1)
            joules: float = train(ergometer.Monitor())
            table: ergometer.Table = ergometer.advise("t.csv", max_slowdown=0.05)
            measured: ergometer.Measurement = ergometer.measure(lambda: None, repeat=3)
            recorder, queue = experiment.Experiment(parsers.JsonParser("x")).measure_yourself(period=2)
            wrong: int = ergometer.run(["true"]).windows()  # the only mistake
        """)
        config = PACKAGE / "pyproject.toml"
        words = [self.python, "-m", "mypy", "--config-file", config, "--cache-dir", self.folder / "cache"]
        environment = {**self.environment, "MYPYPATH": str(PACKAGE)}
        environment.pop("PYTHONPATH")
        own = subprocess.run([*map(str, words), str(PACKAGE / "ergometer")], env=environment, cwd=PACKAGE, capture_output=True,
                             text=True)
        self.assertEqual(own.returncode, 0, own.stdout + own.stderr)
        users = subprocess.run([*map(str, words), str(user)], env=environment, cwd=self.folder, capture_output=True, text=True)
        errors = [line for line in users.stdout.splitlines() if ": error: " in line]
        self.assertEqual(len(errors), 1, users.stdout)
        self.assertIn("assignment", errors[0])


if __name__ == "__main__":
    unittest.main()
