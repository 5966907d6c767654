"""`ergo plot`, from outside. Drawing needs gnuplot; without it those tests are skipped."""
import os
import shutil
import struct
import unittest
import xml.etree.ElementTree as xml

from ergo_case import ErgoCase

needs_gnuplot = unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed (apt-get install gnuplot-nox)")


class PlotCase(ErgoCase):
    def setUp(self):
        super().setUp()
        done = self.ergo("sweep", "--store", "s.db", "--sim", "v100", "-p", "n=1..3:1", "-r", "2", "--quiet", "--name",
                         "it's <a> sweep", "--", "sh", "-c", "sleep 0.{n}")
        self.assertEqual(done.returncode, 0, done.stderr)


class Scripts(PlotCase):
    def test_the_script_holds_the_data_with_error_bars(self):
        done = self.ergo("plot", "s.db", "--format", "gnuplot")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("yerrorbars", done.stdout)
        self.assertIn("simulated", done.stdout)
        block = done.stdout.split("$series0 << EOD\n")[1].split("EOD")[0]
        rows = [[float(number) for number in line.split()] for line in block.splitlines()]
        self.assertEqual([row[0] for row in rows], [1, 2, 3])
        for _, value, low, high in rows:
            self.assertLessEqual(low, value)
            self.assertLessEqual(value, high)
            self.assertGreater(value, 0)

    def test_power_and_latency_have_scripts_too(self):
        for kind in ("power", "latency"):
            done = self.ergo("plot", "s.db", "--kind", kind, "--format", "gnuplot", "-o", "f.gp")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("$series0", (self.folder / "f.gp").read_text())

    def test_without_gnuplot_the_remedy_is_said(self):
        environment = dict(self.environment, PATH=str(self.folder))
        done = self.ergo("plot", "s.db", env=environment)
        self.assertEqual(done.returncode, 1)
        self.assertIn("apt-get install gnuplot-nox", done.stderr)

    def test_a_gnuplot_that_fails_is_quoted(self):
        fake = self.folder / "gnuplot"
        fake.write_text("#!/bin/sh\necho no such terminal\nexit 1\n")
        fake.chmod(0o755)
        done = self.ergo("plot", "s.db", env=dict(self.environment, PATH=f"{self.folder}:{os.environ['PATH']}"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("no such terminal", done.stderr)
        self.assertFalse((self.folder / "energy.svg").exists())

    def test_bad_calls(self):
        for words, hint in ((["none.db"], "none.db"), (["s.db", "--experiment", "9"], "no experiment 9"),
                            (["s.db", "--kind", "power", "--run", "99"], "no run 99"),
                            (["s.db", "--quantity", "nonsense"], "nvidia_draw_absolute"),
                            (["s.db", "--kind", "pie"], "pie"), (["s.db", "--format", "bmp"], "bmp")):
            done = self.ergo("plot", *words)
            self.assertNotEqual(done.returncode, 0, words)
            self.assertIn(hint, done.stderr, words)


@needs_gnuplot
class Pictures(PlotCase):
    def test_svg_is_well_formed_and_has_its_texts(self):
        for kind in ("energy", "latency", "power"):
            done = self.ergo("plot", "s.db", "--kind", kind)
            self.assertEqual(done.returncode, 0, done.stderr)
            root = xml.parse(self.folder / f"{kind}.svg").getroot()
            self.assertTrue(root.tag.endswith("svg"))
            texts = "".join(root.itertext())
            self.assertIn("simulated", texts)
            if kind != "power":
                self.assertIn("it's <a> sweep", texts)
            self.assertGreater(len(list(root.iter("{http://www.w3.org/2000/svg}path"))), 5)

    def test_png_is_a_picture_of_its_size(self):
        done = self.ergo("plot", "s.db", "--format", "png", "-o", "f.png")
        self.assertEqual(done.returncode, 0, done.stderr)
        content = (self.folder / "f.png").read_bytes()
        self.assertEqual(content[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(struct.unpack(">II", content[16:24]), (1440, 864))
        self.assertEqual(content[-8:-4], b"IEND")

    def test_standard_output_takes_the_picture(self):
        done = self.ergo("plot", "s.db", "-o", "-", "--title", "Another")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Another", "".join(xml.fromstring(done.stdout).itertext()))


if __name__ == "__main__":
    unittest.main()
