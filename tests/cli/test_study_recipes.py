"""Every shipped recipe, quick, from its first run to its report: on the CPU and with a simulated GPU."""
import csv
import json
import unittest

from ergo_case import BINARIES, ErgoCase

RECIPES = ("alexnet", "bert", "bert-squad", "mnist-cnn", "mnist-dense", "nbody", "resnet32-cifar10", "resnet50", "summary",
           "synthetic", "vit_b_16", "yolov5s")


class Recipes(ErgoCase):
    def setUp(self):
        super().setUp()
        if not (BINARIES / "ergo-workload").exists():
            self.skipTest("ergo-workload is not built here (ERGO_WORKLOADS=OFF)")

    def quick(self, name, *flags):
        # One run of each cell: what is tested is that all of it works.
        done = self.ergo("study", name, "--quick", "-r", "1", "-o", "out", *flags, timeout=900)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.folder / "out/study.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        report = json.loads((self.folder / "out/report.json").read_text())
        self.assertEqual(len(rows), len(report["cells"]))
        for row in rows:
            self.assertEqual((row["runs"], row["failed"]), ("1", "0"), row)
            self.assertGreater(float(row["time_s"]), 0)
        self.assertGreater((self.folder / "out/report.html").stat().st_size, 100_000)
        return rows


def add(name):
    def on_the_cpu(self):
        for row in self.quick(name):
            self.assertGreater(float(row["cpu_estimated_j"]), 0)
            self.assertEqual(row["nvidia_draw_absolute"], "")

    def on_the_simulated_node(self):
        for row in self.quick(name, "--sim", "v100"):
            self.assertGreater(float(row["nvidia_draw_absolute"]), 0)
            self.assertEqual(row["nvidia_draw_absolute_provenance"], "simulated")

    word = name.replace("-", "_")
    setattr(Recipes, f"test_{word}_on_the_cpu", on_the_cpu)
    setattr(Recipes, f"test_{word}_on_the_simulated_node", on_the_simulated_node)


for recipe in RECIPES:
    add(recipe)


if __name__ == "__main__":
    unittest.main()
