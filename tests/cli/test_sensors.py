"""`ergo sensors`, from outside."""
import json
import unittest

from ergo_case import ErgoCase


class Sensors(ErgoCase):
    def test_without_any_sensor_it_says_what_is_missing_and_why(self):
        done = self.ergo("sensors", "--quick")
        self.assertEqual(done.returncode, 0)
        self.assertIn("missing", done.stdout)
        self.assertIn("libnvidia-ml", done.stdout)

    def test_json_names_every_signal_with_its_traits(self):
        done = self.ergo("sensors", "--quick", "--json", "--sim", "a100")
        report = json.loads(done.stdout)
        self.assertEqual(report["schema"], "ergo.sensors/1")
        signals = {s["name"]: s for sensor in report["sensors"] for s in sensor["signals"]}
        counter = signals["nvml.total_energy@gpu0"]
        self.assertEqual(counter["provenance"], "simulated")
        self.assertEqual(counter["sampled_fraction"], 0.25)
        self.assertGreater(counter["gain_u95"], 0)

    def test_update_periods_and_call_costs_are_measured_now(self):
        done = self.ergo("sensors", "--json", "--sim", "v100")
        sensor = json.loads(done.stdout)["sensors"][0]
        self.assertGreater(sensor["call_median_s"], 0)
        measured = [s["measured_update_period_s"] for s in sensor["signals"] if "measured_update_period_s" in s]
        self.assertTrue(any(0.015 < m < 0.03 for m in measured), measured)


if __name__ == "__main__":
    unittest.main()
