"""What the end-to-end tests share: they run the real program in a folder of their own."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

BINARIES = pathlib.Path(os.environ["ERGO_BINARIES"])
ERGO = str(BINARIES / "ergo")


class ErgoCase(unittest.TestCase):
    """Each test has `self.folder`, and an environment without sensors of this machine but for the CPU estimate."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ergo-cli."))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        sysfs = self.folder / "sysfs"
        sysfs.mkdir()
        self.environment = dict(os.environ)
        for name in ("CUDA_VISIBLE_DEVICES", "ERGO_MARKS", "ERGO_RUN_DIR", "NO_COLOR"):
            self.environment.pop(name, None)
        self.environment.update(ERGO_SYSFS=str(sysfs), ERGO_NVML="/nonexistent/libnvidia-ml.so",
                                ERGO_STATE_DIR=str(self.folder / "state"))

    def ergo(self, *words, **keywords):
        """Runs ergo to its end and returns the CompletedProcess (text)."""
        keywords.setdefault("timeout", 120)
        keywords.setdefault("env", self.environment)
        keywords.setdefault("cwd", self.folder)
        return subprocess.run([ERGO, *map(str, words)], capture_output="stdout" not in keywords, text=True, **keywords)

    def start(self, *words, **keywords):
        """Starts ergo and returns the Popen."""
        keywords.setdefault("env", self.environment)
        process = subprocess.Popen([ERGO, *map(str, words)], cwd=self.folder, text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, **keywords)
        self.addCleanup(self._end, process)
        return process

    @staticmethod
    def _end(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()

    def run_json(self, *words, **keywords):
        """Runs `ergo run … --json` and returns (CompletedProcess, report)."""
        report = self.folder / "report.json"
        done = self.ergo("run", "--json", report, *words, **keywords)
        self.assertTrue(report.exists(), done.stderr)
        return done, json.loads(report.read_text())

    def wait_for(self, condition, what, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f"waited {seconds} s for {what}")
            time.sleep(0.02)


class FakePackage:
    """A powercap tree with one package whose counter the test moves."""

    def __init__(self, sysfs, energy_uj=1_000_000, range_uj=262_143_328_850):
        self.folder = pathlib.Path(sysfs) / "class/powercap/intel-rapl:0"
        self.folder.mkdir(parents=True)
        (self.folder / "name").write_text("package-0\n")
        (self.folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
        self.set(energy_uj)

    def set(self, energy_uj):
        (self.folder / "energy_uj").write_text(f"{int(energy_uj)}\n")
