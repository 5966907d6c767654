"""Experiment: records the power of this machine and the share of this program, beside the program."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

from .._library import _core as _needed  # noqa: F401  raises here, where the program sees it
from .parsers import JsonParser

STOP_MESSAGE = "Stop"
EXP_DONE = "Done"
_READY_SECONDS = 30


class Recorder:
    """The process that records, with the methods of multiprocessing.Process that scripts use."""

    def __init__(self, process: "subprocess.Popen[str]"):
        self._process = process
        self.pid = process.pid

    def join(self, timeout: Optional[float] = None) -> None:
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            pass

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    @property
    def exitcode(self) -> Optional[int]:
        return self._process.poll()


class StopQueue:
    """Takes the stop message. The recorder ends, too, when the program does."""

    def __init__(self, recorder: Recorder):
        self._recorder = recorder

    def put(self, message: Any, *ignored: Any) -> None:
        """Returns when the recording is complete in its folder."""
        if message != STOP_MESSAGE or not self._recorder.is_alive():
            return
        pipe = self._recorder._process.stdin
        assert pipe is not None
        try:
            pipe.close()
        except OSError:
            pass
        self._recorder.join(_READY_SECONDS)


class Experiment:
    """Records into the folder of `driver`. What an earlier recording left there is removed, unless `cont` is True.

    Unlike AIPowerMeter's, it does not raise on a machine where nothing can be metered: it warns, and writes no powers.
    """

    def __init__(self, driver: JsonParser, model: Any = None, input_size: Any = None, cont: bool = False,
                 description: str = ""):
        if model is not None:
            warnings.warn("model cards are not written", stacklevel=2)
        self.db_driver = driver
        if not cont:
            driver.erase()
        driver.save_metadata(description)

    def measure_yourself(self, period: float = 1) -> Tuple[Recorder, StopQueue]:
        """Records this process and its children, one record each `period` seconds."""
        return self._record([os.getpid()], period)

    def measure_from_pid_list(self, pid_list: Sequence[int], period: float = 1) -> Tuple[Recorder, StopQueue]:
        """Records these processes and their children."""
        return self._record(list(pid_list), period)

    def _record(self, pids: Sequence[int], period: float) -> Tuple[Recorder, StopQueue]:
        if not period > 0:
            raise ValueError("period must be a positive number of seconds")
        package = Path(os.path.abspath(__file__)).parent.parent.parent  # links kept: a build tree is made of them
        code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from ergometer.aipowermeter import _recorder; _recorder.main()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(package), self.db_driver.folder, repr(float(period)), *map(str, pids)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "ERGO_MARKS": ""},
        )
        assert process.stdout is not None
        answer = process.stdout.readline().strip()
        process.stdout.close()
        if answer != "ready":
            warnings.warn(answer or "the recorder did not start: nothing is recorded", stacklevel=3)
        recorder = Recorder(process)
        return recorder, StopQueue(recorder)
