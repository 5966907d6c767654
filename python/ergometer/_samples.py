"""Readings as they come from the library: packed numbers."""

from __future__ import annotations

from typing import Any


def unpacked(data: bytes, kind: str) -> Any:
    """The numbers: an array.array. `kind`: "q" or "d"."""
    from array import array

    return array(kind, data)


def column(parts: "list[bytes]", kind: str) -> Any:
    """All of them as one column for pandas."""
    import numpy

    return numpy.frombuffer(b"".join(parts), numpy.dtype(kind))
