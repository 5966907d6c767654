"""The native module, or what to do when it is not there."""

from __future__ import annotations

from ._errors import ErgometerError

try:
    from . import _core as _core
except ImportError as failure:
    raise ErgometerError(
        f"the native module of ergometer cannot be loaded: {failure}",
        "install the package with this Python: pip install . in Ergometer's folder",
        "not_found",
    ) from failure
