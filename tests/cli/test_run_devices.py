"""`ergo run` with wattmeters and simulated GPUs, from outside."""
import os
import sys
import unittest

from ergo_case import ErgoCase

PYTHON = sys.executable


class Meters(ErgoCase):
    def script(self, name, text):
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return path

    def test_a_meter_is_a_channel_of_its_own_beside_the_total(self):
        steady = self.script("steady", "while echo 100; do sleep 0.1; done\n")
        plug = self.script("plug", "echo '{\"apower\":42.5}'\n")
        _, report = self.run_json("--meter", f"exec={steady};value=1;period=100ms", "--meter",
                                  f'exec={plug};after="apower":;every=200ms;channel=plug;name=mine', "--", "sleep", "1")
        run = report["runs"][0]
        node, mine = ({e["channel"]: e for e in run["energy"]}[name] for name in ("node", "plug"))
        for energy, watts in ((node, 100), (mine, 42.5)):
            self.assertLessEqual(energy["low_j"], watts * run["duration_s"])
            self.assertGreaterEqual(energy["high_j"], watts * run["duration_s"])
            self.assertFalse(energy["in_total"])
        self.assertEqual(mine["source"], "meter.mine")

    def test_a_meter_that_does_not_answer_ends_it_before_anything_runs(self):
        plug = self.script("plug", "echo 1\n")
        for meters, says in (([f"exec={plug};value=1;colour=red"], "colour"), (["exec=no-such-meter;value=1"], "no-such-meter"),
                             ([f"exec={plug};value=1;every=1s"] * 2, "channel=NAME")):
            flags = [word for meter in meters for word in ("--meter", meter)]
            done = self.ergo("run", *flags, "--", "touch", "ran")
            self.assertEqual(done.returncode, 125)
            self.assertIn(says, done.stderr)
            self.assertFalse((self.folder / "ran").exists())


class Simulated(ErgoCase):
    def test_a_simulated_gpu_is_measured_and_says_so(self):
        done, report = self.run_json("--sim", "v100", "--", "sleep", "1")
        run = report["runs"][0]
        gpu = next(e for e in run["energy"] if e["channel"] == "gpu0")
        self.assertEqual(gpu["provenance"], "simulated")
        self.assertEqual(run["total"]["provenance"], "simulated")
        self.assertIn("simulated", done.stderr)

    def test_unselected_gpus_are_not_measured(self):
        _, report = self.run_json("--sim", "v100,t4", "--gpus", "1", "--", "sleep", "0.3")
        channels = {e["channel"] for e in report["runs"][0]["energy"] if e["domain"] == "gpu"}
        self.assertEqual(channels, {"gpu1"})

    def test_an_unknown_model_is_refused_with_the_known_ones(self):
        done = self.ergo("run", "--sim", "voodoo2", "--", "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("v100", done.stderr)

    def test_the_node_is_gone_afterwards(self):
        _, report = self.run_json("--sim", "t4", "--", "sh", "-c", "echo $ERGO_SIM_STATE > state")
        state = (self.folder / "state").read_text().strip()
        self.assertTrue(state)
        self.assertFalse(os.path.exists(state))


@unittest.skipIf(os.environ.get("ERGO_SANITIZED"), "a plain Python cannot load a library built with a sanitizer")
class LostGpu(ErgoCase):
    def test_a_gpu_that_falls_off_the_bus_loses_nothing_taken_before(self):
        script = """
import ctypes, os, time
sim = ctypes.CDLL(os.environ["ERGO_NVML"])
sim.ergo_sim_now_ns.restype = ctypes.c_int64
time.sleep(1)
sim.ergo_sim_lose_gpu(0, ctypes.c_int64(sim.ergo_sim_now_ns()))
time.sleep(1)
"""
        done, report = self.run_json("--sim", "v100", "--", PYTHON, "-c", script)
        self.assertEqual(done.returncode, 0, done.stderr)
        run = report["runs"][0]
        self.assertTrue(any("gpu0" in w.lower() or "gpu 0" in w.lower() for w in run["warnings"]), run["warnings"])
        self.assertGreater(run["gaps"], 0)

if __name__ == "__main__":
    unittest.main()
