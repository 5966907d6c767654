"""Where the program `ergo` is."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path
from typing import Iterator, Optional

from ._errors import ErgometerError


def _folders() -> Iterator[Path]:
    """Folders that may hold the programs of the same build as this package."""
    # PREFIX/lib/python3.11/site-packages/ergometer and PREFIX/share/ergo/python/ergometer are equally deep. Links are not
    # followed: a build tree has links to the sources.
    parents = Path(os.path.abspath(__file__)).parent.parents
    if len(parents) > 3:
        yield parents[3] / "bin"
    yield parents[0] / "bin"  # pip install --target
    yield Path(sysconfig.get_path("scripts"))


def program(given: Optional[str] = None, name: str = "ergo") -> str:
    """The path of `ergo`: `given`, ERGO_PROGRAM, the one that came with this package, or the one on the PATH."""
    chosen = given or os.environ.get("ERGO_PROGRAM")
    if chosen:
        return chosen
    for folder in _folders():
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    found = shutil.which(name)
    if found:
        return found
    raise ErgometerError(f"the program {name} was not found", "install the package anew, or set ERGO_PROGRAM to its path",
                         "not_found")
