"""A simulated node with power limits, for the tests that set some."""
import json
import pathlib
import subprocess

from ergo_case import BINARIES, ErgoCase


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
