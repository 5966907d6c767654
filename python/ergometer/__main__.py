"""``python -m ergometer run -- COMMAND``: the program `ergo` that came with this package."""

import os
import sys

from ._errors import ErgometerError
from ._program import program


def main() -> None:
    try:
        path = program()
        os.execv(path, [path, *sys.argv[1:]])
    except (ErgometerError, OSError) as failure:
        print(f"ergo: {failure}", file=sys.stderr)
        sys.exit(125)


if __name__ == "__main__":
    main()
