"""A simulated node with power limits, for the tests that set some."""
import json
import os
import pathlib
import signal
import subprocess

from ergo_case import BINARIES, ErgoCase

# A program that sets 222 W behind our back, where the condition in place of {} holds.
RIVAL = ("import ctypes, os; n = ctypes.CDLL(os.environ['ERGO_NVML']); n.nvmlInit_v2(); d = ctypes.c_void_p(); "
         "n.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(d)); "
         "raise SystemExit(n.nvmlDeviceSetPowerManagementLimit(d, 222000) if {} else 0)")


class LimitsCase(ErgoCase):
    """Each test has simulated GPUs that live as long as the test: a V100 (default 300 W, from 150 W)."""

    models = "v100"
    node_options = ()

    def setUp(self):
        super().setUp()
        self.node = subprocess.Popen([BINARIES / "ergo-sim", "serve", "--gpus", self.models, *self.node_options],
                                     stdout=subprocess.PIPE, text=True)
        self.addCleanup(self._end_node)
        while (line := self.node.stdout.readline().strip()) != "ready":
            self.assertNotEqual(line, "", "the node did not start")
            name, _, value = line.partition("=")
            self.environment[name] = value
        self.state = pathlib.Path(self.environment["ERGO_STATE_DIR"])

    def _end_node(self):
        self.node.terminate()
        self.node.wait()
        self.node.stdout.close()

    def show(self):
        done = self.ergo("limits", "show", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def limits(self):
        return [gpu["set_w"] for gpu in self.show()["gpus"]]

    def limit(self):
        return self.limits()[0]

    def saved(self):
        return sorted(path.suffix for path in self.state.glob("*") if path.suffix in (".run", ".kept"))

    def ends_and_leaves_the_limit_found(self, process, number, group, begun, what, within=30):
        """Ends `process`, or its whole group, by a signal as soon as `begun()` holds."""
        try:
            self.wait_for(begun, what, within)
            (os.killpg if group else os.kill)(process.pid, number)
            process.wait(30)
            self.wait_for(lambda: self.limit() == 300 and self.saved() == [], "the limit found")
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
