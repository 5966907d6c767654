"""The package: wheel, import, types."""
import ast
import importlib.util
import os
import shutil
import subprocess
import sysconfig
import unittest
import zipfile

from python_case import CHECKOUT, PackageCase, lacks


def sources_of(folder):
    """The checkout as it is in git, without what builds have left."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=CHECKOUT, capture_output=True,
                            text=True)
    if listed.returncode != 0 or not listed.stdout:  # an archive
        return shutil.copytree(CHECKOUT, folder, ignore=shutil.ignore_patterns("build", "__pycache__"))
    for name in listed.stdout.splitlines():
        if (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, folder / name)
    return folder


class Wheels(PackageCase):
    """`pip install .` in a clean checkout, and nothing else."""

    @unittest.skipIf(lacks(PackageCase.python, "scikit_build_core", "pybind11"),
                     lacks(PackageCase.python, "scikit_build_core", "pybind11"))
    def test_a_wheel_from_a_clean_checkout_works_by_itself(self):
        source = sources_of(self.folder / "checkout")
        # What this build has compiled comes from the compiler cache: the same flags, and no path of this folder in them.
        environment = {**os.environ, "CCACHE_BASEDIR": str(source), "CCACHE_NOHASHDIR": "true"}
        build = [self.python, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index",
                 "--disable-pip-version-check", "-w", self.folder / "wheels", source]
        done = subprocess.run(list(map(str, build)), env=environment, cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[-4000:])
        (wheel,) = (self.folder / "wheels").glob("ergometer-*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        for wanted in ("ergometer/py.typed", "ergometer/_core.pyi", "ergometer/aipowermeter/parsers.py",
                       "ergometer/_core" + sysconfig.get_config_var("EXT_SUFFIX"), "data/lib/ergo/libergo-sim-nvml.so",
                       "scripts/ergo", "scripts/ergo-sim", "data/share/ergo/python/ergometer_hooks/sitecustomize.py"):
            self.assertTrue(any(name.endswith(wanted) for name in names), (wanted, names))
        self.assertEqual([name for name in names if name.endswith((".cpp", ".hpp", ".a"))], [])
        self.installed_package_measures(wheel)

    def installed_package_measures(self, wheel):
        subprocess.run([self.python, "-m", "venv", "--without-pip", self.folder / "venv"], check=True)
        python = self.folder / "venv/bin/python"
        subprocess.run([self.python, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps",
                        "--disable-pip-version-check", wheel], check=True, capture_output=True)
        # Nothing of this checkout or of the build can be found.
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "ERGO_STATE_DIR": str(self.folder / "state")}
        outside = self.folder / "elsewhere"
        outside.mkdir()
        script = self.script("""
            import ergometer, sys, time
            from ergometer.aipowermeter import experiment, parsers
            with ergometer.Monitor() as monitor, monitor.window("work", count=2) as window:
                time.sleep(0.3)
            p, q = experiment.Experiment(parsers.JsonParser("record")).measure_yourself(period=0.1)
            q.put(experiment.STOP_MESSAGE)
            with ergometer.mark.window("marked"):
                pass
            print([ergometer.__file__, window.result.simulated, window.result.joules_per_item > 0])
        """)

        def in_venv(*words):
            done = subprocess.run(list(map(str, words)), env=environment, cwd=outside, capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done

        done = in_venv(python, "-m", "ergometer", "--sim", "v100", "run", "--json", "report.json", "--", python, script)
        file, simulated, positive = ast.literal_eval(done.stdout)
        self.assertTrue(file.startswith(str(self.folder / "venv")), file)
        self.assertEqual((simulated, positive), (True, True))
        self.assertIn('"name": "marked"', (outside / "report.json").read_text())
        self.assertIn("END OF RECORDING", (outside / "record/power_metrics.json").read_text())
        self.assertIn("gpu0", done.stderr)
        done = in_venv(python, "-c", "import ergometer; print(ergometer.run(['true']).exit_code, ergometer.sensors())")
        self.assertEqual(done.stdout.split()[0], "0")
        # The hooks came with it, and find the marks.
        done = in_venv(self.folder / "venv/bin/ergo", "run", "--", python, "-c",
                       "import sys; print([type(f).__name__ for f in sys.meta_path])")
        self.assertIn("_ErgometerFinder", done.stdout)


class Installing(PackageCase):
    def test_importing_takes_less_than_50_ms(self):
        # The CPU time that the import takes, since other programs may keep this one waiting.
        code = "import time; begin = time.process_time(); import ergometer{}; print(time.process_time() - begin)"

        def best(more):
            return min(float(self.plain("-c", code.format(more)).stdout) for _ in range(9))

        self.assertLess(best(""), 0.05)
        self.assertLess(best("; ergometer.Monitor, ergometer.Store, ergometer.advise"), 0.1)

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
            missing: ergometer.Table = ergometer.sensors().missing
            runs: int = len(ergometer.Store("s.db").runs())
            measured: ergometer.Measurement = ergometer.measure(lambda: None, repeat=3)
            recorder, queue = experiment.Experiment(parsers.JsonParser("x")).measure_yourself(period=2)
            wrong: int = ergometer.run(["true"]).windows()  # the only mistake
        """)
        config = CHECKOUT / "pyproject.toml"
        words = [self.python, "-m", "mypy", "--config-file", config, "--cache-dir", self.folder / "cache"]
        environment = {**self.environment, "MYPYPATH": str(CHECKOUT / "python")}
        environment.pop("PYTHONPATH")
        own = subprocess.run([*map(str, words), str(CHECKOUT / "python/ergometer")], env=environment, cwd=self.folder,
                             capture_output=True, text=True)
        self.assertEqual(own.returncode, 0, own.stdout + own.stderr)
        users = subprocess.run([*map(str, words), str(user)], env=environment, cwd=self.folder, capture_output=True, text=True)
        errors = [line for line in users.stdout.splitlines() if ": error: " in line]
        self.assertEqual(len(errors), 1, users.stdout)
        self.assertIn("assignment", errors[0])


if __name__ == "__main__":
    unittest.main()
