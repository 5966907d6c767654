"""What the tests of the hooks and of the package share."""
import json
import os
import pathlib
import subprocess
import sys
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cli"))

from ergo_case import BINARIES, ERGO, ErgoCase  # noqa: E402

BUILD = BINARIES.parent
CHECKOUT = HERE.parent.parent
#: The package of the build: the sources, and the native module.
PACKAGE = BUILD / "share/ergo/python"
HOOKS = str(PACKAGE / "ergometer_hooks")
#: A Python with torch, and what builds on it.
TORCH_PYTHON = os.environ.get("ERGO_TORCH_PYTHON") or "/usr/bin/python3"


def lacks(python, *modules):
    """What an interpreter cannot import, as a reason to skip; "" when it has all."""
    if not os.access(python, os.X_OK):
        return f"there is no {python}"
    code = "import importlib.util, sys; print(*(m for m in sys.argv[1:] if not importlib.util.find_spec(m)))"
    done = subprocess.run([python, "-c", code, *modules], capture_output=True, text=True)
    missing = done.stdout.split() if done.returncode == 0 else list(modules)
    return f"{python} lacks {', '.join(missing)} (tools/packages test, tools/python_environments)" if missing else ""


class PythonCase(ErgoCase):
    """Runs scripts with and without ergo. `python` is the interpreter."""

    python = sys.executable

    def setUp(self):
        super().setUp()
        for name in ("PYTHONPATH", "PYTHONHOME", "ERGO_HOOKS", "ERGO_PROGRAM"):
            self.environment.pop(name, None)
        self.environment.update(PYTHONDONTWRITEBYTECODE="1")

    def script(self, text, name="script.py"):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def plain(self, *words):
        return subprocess.run([self.python, *map(str, words)], env=self.environment, cwd=self.folder, capture_output=True,
                              timeout=300)

    def hooked(self, *words):
        """The same under `ergo run`, whose own report is left out."""
        return subprocess.run([ERGO, "run", "--quiet", "--", self.python, *map(str, words)], env=self.environment,
                              cwd=self.folder, capture_output=True, timeout=300)

    def assert_same(self, *words):
        """Exit code, stdout and stderr, byte for byte. Returns what the plain program did."""
        plain, hooked = self.plain(*words), self.hooked(*words)
        self.assertEqual(plain.stdout, hooked.stdout)
        self.assertEqual(plain.stderr, hooked.stderr)
        self.assertEqual(plain.returncode, hooked.returncode)
        return plain

    def windows(self, script, *options, before=()):
        """Runs a script under ergo; returns (run of the report, its windows as (name, count))."""
        report = self.folder / "report.json"
        done = self.ergo(*before, "run", "--quiet", "--json", report, *options, "--", self.python, script, timeout=500)
        self.assertEqual(done.returncode, 0, done.stderr)
        run = json.loads(report.read_text())["runs"][0]
        self.assertEqual([w for w in run["warnings"] if "mark" in w or "window" in w and "ended" in w], [])
        return run, [(window["name"], window.get("count")) for window in run["windows"]]

    def assert_physical(self, run, name="epoch"):
        """The energies of the windows of one name are part of the run's."""
        for channel in run["energy"]:
            parts = [energy["joules"] for window in run["windows"] if window["name"] == name
                     for energy in window["energy"] if energy["channel"] == channel["channel"]]
            self.assertTrue(parts, channel["channel"])
            self.assertTrue(all(part >= 0 for part in parts), parts)
            # Windows end between readings: each edge is interpolated, so allow what the run's own interval allows.
            self.assertLessEqual(sum(parts), channel["high_j"])


class PackageCase(PythonCase):
    def setUp(self):
        super().setUp()
        self.environment.update(PYTHONPATH=str(PACKAGE))

    def answer(self, text, before=()):
        """Runs a script, on a simulated node when `before` says so; what it prints last is JSON."""
        script = self.script(textwrap.dedent("import ergometer, json, os, time\n") + textwrap.dedent(text))
        words = [self.python, str(script)]
        if before:
            words = [ERGO, *before, "run", "--quiet", "--no-hooks", "--", *words]
        done = subprocess.run(words, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout.splitlines()[-1])


def names(windows, *leave_out):
    return [window for window in windows if window[0] not in ("step", *leave_out)]
