#!/usr/bin/env python3
"""ergo-workload as people and ergo call it: exit codes, marks, latency.csv, messages.

Usage: command_test.py ERGO_WORKLOAD 0|1 (1: built with LibTorch)
"""
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

PROGRAM = os.path.abspath(sys.argv[1])
WITH_NETWORKS = sys.argv[2] == "1"


def run(*arguments, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ERGO_")}
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=100,
                          env=clean | {k: str(v) for k, v in environment.items()})


class MarkReceiver:
    """A socket as ergo opens it. It is emptied while the program runs, as its queue is short and senders never wait."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "marks")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.found = []
        self.thread = threading.Thread(target=self.receive)
        self.thread.start()

    def receive(self):
        while (line := self.socket.recv(4096)) != b"that was all":
            self.found.append(line.decode())

    def lines(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"that was all", self.path)
        self.thread.join()
        self.socket.close()
        return self.found


class Folder(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = self.temporary.name

    def tearDown(self):
        self.temporary.cleanup()

    def marked(self, *arguments):
        """(kind, name, time, count) of each mark that the command sends."""
        receiver = MarkReceiver(self.folder)
        try:
            result = run(*arguments, ERGO_MARKS=receiver.path, ERGO_RUN_DIR=self.folder)
        finally:
            lines = receiver.lines()
        self.assertEqual(result.returncode, 0, result.stderr)
        marks = []
        for line in lines:
            match = re.fullmatch(r"ergo1 (begin|end) (\S+) (\d+)(?: count=(\d+))?", line)
            self.assertIsNotNone(match, line)
            marks.append((match[1], match[2], int(match[3]), int(match[4]) if match[4] else None))
        times = [mark[2] for mark in marks]
        self.assertEqual(times, sorted(times))
        return [(kind, name, count) for kind, name, _, count in marks], result.stdout

    def latencies(self):
        with open(os.path.join(self.folder, "latency.csv")) as file:
            return [float(line) for line in file]


class Always(Folder):
    def test_help_and_list_succeed(self):
        self.assertEqual(run("--help").returncode, 0)
        listed = run("--list")
        self.assertEqual(listed.returncode, 0)
        for name in ("alexnet", "resnet50", "vit_b_16", "yolov5s", "bert", "mnist-cnn", "mnist-dense",
                     "resnet32-cifar10", "bert-squad", "nbody", "synthetic", "torchscript"):
            self.assertRegex(listed.stdout, rf"(?m)^{name} ")

    def test_wrong_requests_exit_with_2_and_write_no_results(self):
        for arguments in ((), ("--nonsense",), ("nosuchnetwork",), ("info", "nosuchnetwork"), ("synthetic",),
                          ("synthetic", "--iterations", "1", "--compute", "3"),
                          ("synthetic", "--seconds", "soon"), ("nbody", "--bodies", "-4"),
                          ("nbody", "--device", "tpu"), ("alexnet", "--iterations", "0")):
            result = run(*arguments, ERGO_RUN_DIR=self.folder)
            self.assertEqual(result.returncode, 2, (arguments, result.stderr))
            self.assertFalse(os.path.exists(os.path.join(self.folder, "latency.csv")))

    def test_synthetic_marks_its_work_and_epochs_and_leaves_latencies(self):
        marks, output = self.marked("synthetic", "--iterations", "5", "--iteration-time", "2ms", "--epoch", "2")
        self.assertEqual([m[:2] for m in marks], [("begin", "work")] + [("begin", "epoch"), ("end", "epoch")] * 3 + [("end", "work")])
        self.assertEqual([m[2] for m in marks if m[0] == "end"], [2, 2, 1, 5])
        self.assertEqual(len(self.latencies()), 5)
        self.assertTrue(all(latency >= 0.002 for latency in self.latencies()))
        self.assertIn("one CPU core", output)

    def test_nbody_marks_its_steps_and_prints_interactions(self):
        marks, output = self.marked("nbody", "--bodies", "128", "--steps", "3", "--threads", "1")
        self.assertEqual(marks[-1], ("end", "steps", 3))
        self.assertEqual(len(self.latencies()), 3)
        self.assertRegex(output, r"interactions +\S+ [kMG]?/s")

    def test_nothing_is_written_without_an_observer(self):
        result = subprocess.run([PROGRAM, "synthetic", "--iterations", "1", "--iteration-time", "1ms"],
                                cwd=self.folder, capture_output=True, timeout=60,
                                env={"PATH": os.environ["PATH"], "ERGO_MARKS": "/nonexistent/socket"})
        self.assertEqual(result.returncode, 0)
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_run_folder_that_is_gone_is_an_error(self):
        result = run("synthetic", "--iterations", "1", "--iteration-time", "1ms", ERGO_RUN_DIR="/nonexistent")
        self.assertEqual(result.returncode, 1)
        self.assertIn("latency.csv", result.stderr)


@unittest.skipIf(WITH_NETWORKS, "built with LibTorch")
class WithoutLibTorch(unittest.TestCase):
    def test_networks_say_why_they_do_not_run(self):
        for arguments in (("alexnet",), ("info", "resnet50"), ("mnist-cnn",)):
            result = run(*arguments)
            self.assertEqual(result.returncode, 2)
            self.assertIn("built without LibTorch", result.stderr)


@unittest.skipUnless(WITH_NETWORKS, "built without LibTorch")
class WithLibTorch(Folder):
    def test_inference_marks_the_measured_part_only(self):
        marks, output = self.marked("alexnet", "--size", "63", "--batch", "2", "--iterations", "3", "--warmup", "2", "--threads", "1")
        self.assertEqual([m[:2] for m in marks], [("begin", "inference"), ("end", "inference")])
        self.assertEqual(marks[1][2], 6)
        self.assertEqual(len(self.latencies()), 3)
        self.assertIn("61,100,840", output)
        self.assertIn("1 thread, fp32", output)

    def test_training_marks_epochs_and_steps_with_their_samples(self):
        marks, output = self.marked("mnist-cnn", "--limit-samples", "10", "--batch", "4", "--epochs", "2",
                                    "--mark-steps", "--threads", "1")
        self.assertEqual([m[2] for m in marks if m[:2] == ("end", "epoch")], [10, 10])
        self.assertEqual([m[2] for m in marks if m[:2] == ("end", "step")], [4, 4, 2] * 2)
        self.assertIn("synthetic:", output)

    def test_too_large_for_the_memory_exits_with_3_and_the_reason(self):
        result = run("alexnet", "--memory-limit", "100MiB", "--threads", "1")
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn("out of memory", result.stderr)
        self.assertEqual(result.stdout, "")

    def test_a_batch_that_no_machine_holds_exits_with_3(self):
        result = run("alexnet", "--size", "16384", "--batch", "65536", "--threads", "1")
        self.assertEqual(result.returncode, 3, result.stderr)

    def test_damaged_weights_are_an_error_with_the_files_name(self):
        file = os.path.join(self.folder, "weights.safetensors")
        for content, reason in ((b"", "shorter"), (b"PK garbage", "TorchScript"), (b"\x08" + b"\0" * 7 + b"[1,2,3] ", "JSON object"),
                                (b"\x02" + b"\0" * 7 + b"{}", 'no tensor "features.0.weight"')):
            with open(file, "wb") as out:
                out.write(content)
            result = run("alexnet", "--size", "63", "--weights", file, "--threads", "1")
            self.assertIn(result.returncode, (1, 2), result.stderr)
            self.assertIn(reason, result.stderr)
            self.assertIn("weights.safetensors", result.stderr)

    def test_torchscript_refuses_what_is_none(self):
        file = os.path.join(self.folder, "model.pt")
        with open(file, "wb") as out:
            out.write(b"not a module")
        result = run("torchscript", file, "--shape", "1x3x8x8")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("model.pt", result.stderr)
        self.assertEqual(run("torchscript", file, "--shape", "1x0").returncode, 2)
        self.assertEqual(run("torchscript", file).returncode, 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
