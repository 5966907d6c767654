"""What goes wrong, with the remedy."""

from __future__ import annotations


class ErgometerError(RuntimeError):
    """Something that Ergometer needs is missing or failed. The text says what to do.

    message: the fact. remedy: what to do about it, or "". code: "invalid_argument", "not_found", "permission",
    "not_supported", "unavailable", "lost", "corrupt", "io", "busy", "canceled", or "".
    """

    def __init__(self, message: str, remedy: str = "", code: str = "") -> None:
        super().__init__(f"{message} ({remedy})" if remedy else message)
        self.message = message
        self.remedy = remedy
        self.code = code

    def __reduce__(self) -> "tuple[type[ErgometerError], tuple[str, str, str]]":
        return type(self), (self.message, self.remedy, self.code)
