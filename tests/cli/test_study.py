"""`ergo study` and `ergo report`, from outside."""
import csv
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import unittest

from ergo_case import BINARIES, ERGO, ErgoCase

RECIPE = """title = "Sleeps"
source = "the tests"
axis = "size"
axis_label = "size (ms)"
item = "inference"
command = ["sh", "-c", "{script}", "work", "{{size}}", "{{count}}"]
repeats = 2

[table]
size = [{sizes}]
count = {count}

[quick]
repeats = 2
seconds = 0.1

[quick.table]
size = [{sizes}]
count = {count}
"""


def without_dashes(text):
    return re.sub(r"\s+", " ", text)


class StudyCase(ErgoCase):
    def recipe(self, script, sizes="100, 200, 300", count=5, name="sleeps"):
        """Writes a recipe whose script gets the size as $1 and the count as $2."""
        text = RECIPE.format(script=script.replace("\\", "\\\\").replace('"', '\\"'), sizes=sizes, count=count)
        (self.folder / f"{name}.toml").write_text(text)
        return f"{name}.toml"

    def table(self, folder):
        with open(self.folder / folder / "study.csv", newline="") as file:
            return {row["size"]: row for row in csv.DictReader(file)}

    def finished(self, store):
        """(size, repeat) of the runs that were not cut short, as the export has them."""
        done = self.ergo("export", store, "--format", "csv")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = csv.DictReader(done.stdout.splitlines())
        return sorted((row["size"], row["repeat"], row["status"]) for row in rows if row["status"] != "invalid")


class Studies(StudyCase):
    def test_a_study_leaves_its_store_and_every_report(self):
        done = self.ergo("study", self.recipe("sleep 0.$1"), "-o", "out", "--sim", "v100")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(p.name for p in (self.folder / "out").iterdir() if not p.name.startswith("ergo.db")),
                         ["report.html", "report.json", "report.md", "study.csv"])
        rows = self.table("out")
        self.assertEqual(list(rows), ["100", "200", "300"])
        energies = [float(row["nvidia_draw_absolute"]) for row in rows.values()]
        self.assertEqual(energies, sorted(energies), "a longer sleep costs more")
        for row in rows.values():
            self.assertEqual(row["nvidia_draw_absolute_provenance"], "simulated")
            self.assertLess(float(row["nvidia_draw_absolute_low"]), float(row["nvidia_draw_absolute_high"]))
            self.assertEqual(row["runs"], "2")
        report = json.loads((self.folder / "out/report.json").read_text())
        self.assertEqual(report["schema"], "ergo.study/1")
        self.assertEqual([cell["parameters"]["size"] for cell in report["cells"]], ["100", "200", "300"])
        self.assertIn("size (ms)", (self.folder / "out/report.md").read_text())

    def test_the_words_that_follow_from_the_axis_reach_the_command(self):
        done = self.ergo("study", self.recipe('echo "$1 $2" >> log', sizes="1, 2", count="[40, 20]"), "-o", "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted((self.folder / "log").read_text().split("\n")[:-1]), ["1 40"] * 2 + ["2 20"] * 2)

    def test_a_cell_that_is_too_large_is_left_out_with_its_reason(self):
        script = "[ $1 -lt 300 ] || { echo 'ergo-workload: needs 9 GiB, 2 GiB are free' >&2; exit 3; }; echo $1 >> log"
        done = self.ergo("study", self.recipe(script), "-o", "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("size=300 is left out: needs 9 GiB, 2 GiB are free", done.stderr)
        rows = self.table("out")
        self.assertEqual(rows["300"]["reason"], "needs 9 GiB, 2 GiB are free")
        self.assertEqual((rows["300"]["runs"], rows["300"]["failed"]), ("0", "1"), "it is not tried again")
        self.assertEqual(rows["200"]["runs"], "2")
        self.assertEqual(rows["200"]["nvidia_draw_absolute"], "", "what was not measured is absent")

    def test_a_cell_that_fails_is_told_and_the_study_goes_on(self):
        done = self.ergo("study", self.recipe("[ $1 != 200 ] || { echo no such device; exit 1; }"), "-o", "out")
        self.assertEqual(done.returncode, 1)
        rows = self.table("out")
        self.assertEqual(rows["200"]["reason"], "no such device")
        self.assertEqual(rows["300"]["runs"], "2")

    def test_a_second_call_measures_nothing_again(self):
        recipe = self.recipe("echo $1 >> log")
        self.ergo("study", recipe, "-o", "out")
        first = (self.folder / "out/study.csv").read_text()
        done = self.ergo("study", recipe, "-o", "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("0 runs measured", without_dashes(done.stderr))
        self.assertEqual(len((self.folder / "log").read_text().split()), 6)
        self.assertEqual((self.folder / "out/study.csv").read_text(), first)

    def test_killed_and_run_again_it_equals_an_uninterrupted_study_cell_for_cell(self):
        recipe = self.recipe("echo $1 >> log; sleep 0.2")
        process = self.start("study", recipe, "-o", "out", start_new_session=True)
        log = self.folder / "log"
        self.wait_for(lambda: log.exists() and len(log.read_text().split()) >= 3, "the third run")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.assertFalse((self.folder / "out/report.html").exists())
        self.assertEqual(self.ergo("study", recipe, "-o", "out").returncode, 0)
        self.assertEqual(self.ergo("study", recipe, "-o", "whole").returncode, 0)
        self.assertEqual(self.finished("out/ergo.db"), self.finished("whole/ergo.db"))
        cut, whole = self.table("out"), self.table("whole")
        self.assertEqual(list(cut), list(whole))
        for size, row in cut.items():
            self.assertEqual(set(k for k, v in row.items() if v), set(k for k, v in whole[size].items() if v))
            for column in ("runs", "failed", "reason"):
                self.assertEqual(row[column], whole[size][column])

    def test_the_plan_is_printed_without_a_run(self):
        done = self.ergo("study", self.recipe("touch ran"), "--quick", "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("3 cells, 2 runs each", done.stdout)
        self.assertIn("size=200", done.stdout)
        self.assertFalse((self.folder / "ran").exists())
        self.assertEqual([p.name for p in self.folder.iterdir() if p.name.startswith("ergo-study")], [])

    def test_a_recipe_without_a_quick_table_is_shrunk_and_said_to_be(self):
        (self.folder / "mine.toml").write_text(
            'axis = "n"\ncommand = ["sh", "-c", "echo $0 >> log", "{n}"]\nrepeats = 7\ncooldown = "1h"\n'
            "[table]\nn = [1, 2, 3, 4, 5, 6, 7, 8, 9]\n")
        done = self.ergo("study", "mine.toml", "--quick", "-o", "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no [quick] table: --quick takes 5 of its 9 cells, 2 runs each", done.stderr)
        self.assertEqual(sorted((self.folder / "log").read_text().split()), sorted("13579" * 2))
        self.assertIn("# mine", (self.folder / "out/report.md").read_text())

    def test_the_shipped_studies_are_listed(self):
        done = self.ergo("study", "--list")
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("alexnet", "resnet50", "vit_b_16", "yolov5s", "bert", "summary", "mnist-cnn", "mnist-dense",
                     "resnet32-cifar10", "bert-squad", "nbody"):
            self.assertRegex(done.stdout, rf"(?m)^{name} ")

    def test_without_a_name_the_studies_are_listed_too(self):
        done = self.ergo("study")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, self.ergo("study", "--list").stdout)
        self.assertIn("Name one", done.stderr)

    def test_the_plan_of_a_study_that_was_cut_short_is_what_is_left(self):
        recipe = self.recipe("echo $1 >> log; sleep 0.2")
        words = ["study", recipe, "-o", "out", "--dry-run"]
        self.assertIn("6 runs to make, 0 already in out/ergo.db", self.ergo(*words).stdout)
        process = self.start("study", recipe, "-o", "out", start_new_session=True)
        log = self.folder / "log"
        self.wait_for(lambda: log.exists() and len(log.read_text().split()) >= 4, "the fourth run")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), 128 + signal.SIGINT)
        done = self.ergo(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("3 runs to make, 3 already in out/ergo.db; about 1 s by the runs that are there", done.stdout)
        self.assertIn("  size=200: sh -c ", done.stdout)
        self.assertEqual(len(log.read_text().split()), 4, "nothing ran")

    def test_a_run_that_was_cut_short_and_made_again_is_no_failure(self):
        recipe = self.recipe("echo $1 >> log; sleep 0.3")
        process = self.start("study", recipe, "-o", "out", start_new_session=True)
        log = self.folder / "log"
        self.wait_for(lambda: log.exists() and len(log.read_text().split()) >= 2, "the second run")
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        done = self.ergo("study", recipe, "-o", "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotRegex(done.stderr, r"size=.* \d failed")
        self.assertEqual({row["failed"] for row in self.table("out").values()}, {"0"})

    def test_a_wrong_recipe_is_named_with_its_line(self):
        path = self.recipe("true")
        text = (self.folder / path).read_text().replace("item =", "itme =")
        (self.folder / path).write_text(text)
        done = self.ergo("study", path)
        self.assertEqual(done.returncode, 125)
        self.assertIn("sleeps.toml:5: ", done.stderr)

    def test_an_unknown_study_says_how_to_list_them(self):
        done = self.ergo("study", "alexnett")
        self.assertEqual(done.returncode, 125)
        self.assertIn("ergo study --list", done.stderr)


class Reports(StudyCase):
    def test_any_sweep_of_a_store_becomes_a_report(self):
        self.ergo("sweep", "--store", "s.db", "--sim", "v100", "-p", "n=1,2,3", "-r", "2", "--", "sleep", "0.{n}")
        for format, word in (("html", "<!DOCTYPE html>"), ("md", "# sleep"), ("json", '"schema": "ergo.study/1"'),
                             ("csv", "n,intel_power,")):
            done = self.ergo("report", "s.db", "--format", format, "-o", "-")
            self.assertEqual(done.returncode, 0, done.stderr)
            if format != "md":
                self.assertIn(word, done.stdout)
            self.assertEqual(self.ergo("report", "s.db", "--format", format).returncode, 0)
            self.assertEqual((self.folder / f"report.{format}").read_text(), done.stdout)

    def test_a_store_without_an_experiment_and_an_unknown_number_are_named(self):
        self.ergo("run", "--store", "s.db", "--", "true")
        done = self.ergo("report", "s.db", "--experiment", "77")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no experiment 77", done.stderr)
        done = self.ergo("report", "none.db")
        self.assertEqual(done.returncode, 1)
        self.assertIn("none.db", done.stderr)


PROBE_HEAD = """<script>window.faults = [];
window.addEventListener("error", (e) => faults.push(String(e.message)));
window.addEventListener("unhandledrejection", (e) => faults.push(String(e.reason)));
document.addEventListener("securitypolicyviolation", (e) => faults.push("policy: " + e.blockedURI));
for (const level of ["error", "warn"]) console[level] = (...words) => faults.push(words.join(" "));
</script>"""
# Counts the pixels that each plot has drawn.
PROBE_TAIL = """<script>
const drawn = {};
for (const canvas of document.querySelectorAll("canvas")) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) colours.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
  drawn[canvas.id] = colours.size;
}
const pre = document.createElement("pre");
pre.id = "probe";
pre.textContent = JSON.stringify({ faults, drawn, ready: window.ready, background: getComputedStyle(document.body).backgroundColor,
  charts: Object.values(Chart.instances).map((c) => ({ id: c.canvas.id, points: c.data.datasets.map((d) => d.data.length) })) });
document.body.append(pre);
</script>"""


class Page(StudyCase):
    """The page in a browser."""

    def setUp(self):
        super().setUp()
        self.browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not self.browser:
            self.skipTest("no Chromium here; tools/packages test installs it")

    def browse(self, page, *flags):
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return subprocess.run(
            [self.browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             f"--user-data-dir={home}", "--enable-logging=stderr", *flags, pathlib.Path(page).as_uri()],
            capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(home)})

    def probe(self, page, *flags):
        """What the page says of itself after it was drawn."""
        text = pathlib.Path(page).read_text()
        head, rest = text.split("<title>", 1)
        body, end = rest.rsplit("</body>", 1)
        timed = "<script>window.ready = performance.now();</script>"
        probed = self.folder / "probed.html"
        probed.write_text(head + PROBE_HEAD + "<title>" + body + timed + PROBE_TAIL + "</body>" + end)
        done = self.browse(probed, "--dump-dom", *flags)
        found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.S)
        self.assertTrue(found, done.stderr[-2000:])
        self.assertNotIn("CONSOLE", done.stderr)
        answer = json.loads(found.group(1).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
        self.assertEqual(answer["faults"], [])
        return answer

    def study(self):
        script = ("for i in 1 2 3 4 5; do echo 0.0$1 >> $ERGO_RUN_DIR/latency.csv; done; sleep 0.$1")
        done = self.ergo("study", self.recipe(script), "-o", "out", "--sim", "v100", "--period", "20ms")
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / "out/report.html"

    def test_every_plot_is_drawn_and_the_console_stays_empty(self):
        page = self.study()
        answer = self.probe(page)
        for plot in ("plot-energy", "plot-energy-latency", "plot-latency", "plot-memory", "plot-sm", "trace"):
            self.assertGreater(answer["drawn"][plot], 3, f"{plot} is empty: {answer}")
        points = {chart["id"]: chart["points"] for chart in answer["charts"]}
        self.assertEqual(points["plot-latency"][:3], [3, 3, 3])
        self.assertEqual(len(points["plot-latency"]), 4, "and the line through the medians")
        self.assertGreater(min(points["trace"]), 1)

    def test_it_prints_and_follows_a_dark_screen(self):
        page = self.study()
        light = self.probe(page)
        dark = self.probe(page, "--blink-settings=preferredColorScheme=0")
        self.assertEqual(light["background"], "rgb(255, 255, 255)")
        self.assertNotEqual(dark["background"], light["background"])
        done = self.browse(page, f"--print-to-pdf={self.folder / 'page.pdf'}", "--no-pdf-header-footer")
        pdf = (self.folder / "page.pdf").read_bytes()
        self.assertTrue(pdf.startswith(b"%PDF"), done.stderr)
        self.assertGreater(len(pdf), 30_000, "plots are in it")

    def test_a_million_recorded_samples_open_within_three_seconds_from_less_than_five_megabytes(self):
        for runs in (1, 40):
            with self.subTest(runs=runs):
                store, page = f"many{runs}.db", self.folder / f"many{runs}.html"
                done = subprocess.run([BINARIES / "many_samples", store, str(runs), "1000000"], cwd=self.folder,
                                      capture_output=True, text=True, timeout=120)
                self.assertEqual(done.returncode, 0, done.stderr)
                with sqlite3.connect(self.folder / store) as database:
                    self.assertEqual(database.execute("SELECT sum(count) FROM samples").fetchone(), (1_000_000,))
                done = self.ergo("report", store, "-o", page)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertLess(page.stat().st_size, 5_000_000)
                answer = self.probe(page)
                self.assertLess(answer["ready"], 3000)
                self.assertGreater({c["id"]: c["points"] for c in answer["charts"]}["trace"][0], 1000)
                traces = self.data(page)["traces"]
                self.assertEqual(len(traces), runs)
                for trace in traces:
                    channel = trace["channels"][0]
                    self.assertEqual((max(channel["w"]), min(channel["w"])), (987.5, 3.5), "peaks are kept")
                    peak = channel["t"][channel["w"].index(987.5)]
                    self.assertAlmostEqual(peak / trace["duration"], 0.37, places=5)

    @staticmethod
    def data(page):
        """What the page's script draws."""
        return json.loads(re.search(r'id="data">(.*?)</script>', page.read_text(), re.S).group(1))


class Installed(StudyCase):
    def test_recipes_are_found_from_the_installed_place(self):
        build = BINARIES.parent
        prefix = self.folder / "prefix"
        (prefix / "bin").mkdir(parents=True)
        for part in ("apps/ergo",):
            done = subprocess.run(["cmake", "--install", str(build / part), "--prefix", str(prefix)],
                                  capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
        done = subprocess.run([str(prefix / "bin/ergo"), "study", "--list"], capture_output=True, text=True,
                              env=self.environment, cwd=self.folder, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("alexnet", done.stdout)


if __name__ == "__main__":
    unittest.main()
