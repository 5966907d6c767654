"""`ergo run` from Python."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from typing import Any, Dict, List, Optional, Sequence

from ._errors import ErgometerError
from ._program import program
from ._results import table

#: What `ergo run` answers when it could not do its work.
OWN_FAILURE = 125


class Report(Dict[str, Any]):
    """A report of schema ergo.run/1 (docs/user/json.md) as a dict."""

    #: Exit code of the command (ergo's rules: docs/user/run.md).
    exit_code: int = 0

    def windows(self) -> List[Dict[str, Any]]:
        """One row for each marked window and run."""
        rows = []
        for run in self["runs"]:
            for window in run.get("windows", []):
                row = {"run": run["index"], "warmup": run["warmup"]}
                row.update((key, value) for key, value in window.items() if not isinstance(value, (list, dict)))
                for energy in window.get("energy", []):
                    row[f"{energy['channel']}_j"] = energy["joules"]
                rows.append(row)
        return rows

    def windows_frame(self) -> Any:
        import pandas

        return pandas.DataFrame(self.windows())

    def _repr_html_(self) -> str:
        rows = []
        for run in self["runs"]:
            for energy in run.get("energy", []):
                interval = f"{energy['low_j']:.4g} … {energy['high_j']:.4g}"
                cells = (run["index"], run["duration_s"], energy["channel"], energy["provenance"])
                rows.append([*map(str, cells), f"{energy['joules']:.4g}", interval])
        return table(["run", "s", "channel", "", "J", "95 %"], rows)


def run(
    command: Sequence[str], *, ergo: Optional[str] = None, env: Optional[Dict[str, str]] = None, cwd: Optional[str] = None,
    before: Sequence[str] = (), **options: Any,
) -> Report:
    """Measures a command with ``ergo run`` and returns its report.

    Options are those of the command line: ``run(["python", "train.py"], repeat=3, idle="5s", no_hooks=True)``. What stands
    before the verb goes to `before`: ``before=["--sim", "v100"]``. The command keeps stdin, stdout and stderr. Its exit
    code is ``report.exit_code``. Raises ErgometerError when ergo itself fails.
    """
    handle, path = tempfile.mkstemp(prefix="ergo-run-", suffix=".json")
    os.close(handle)
    words = [program(ergo), *before, "run", "--json", path]
    options.setdefault("quiet", True)
    for name, value in options.items():
        if value is None or value is False:
            continue
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            words.append(str(value))
    try:
        done = subprocess.run([*words, "--", *map(str, command)], env=env, cwd=cwd, check=False)
        with open(path, encoding="utf-8") as file:
            text = file.read()
    finally:
        os.unlink(path)
    if not text:
        raise ErgometerError(f"ergo run ended with exit code {done.returncode} and no report", "its message is on stderr")
    report = Report(json.loads(text))
    report.exit_code = done.returncode
    return report
