"""The command `lookalike`: becomes the server."""

import os
import sys

from ._files import NotInstalledError, binary, environment


def main() -> None:
    try:
        server = binary()
        variables = environment()
    except NotInstalledError as error:
        sys.exit(f"lookalike: {error}")
    os.execve(server, [str(server), *sys.argv[1:]], variables)


if __name__ == "__main__":
    main()
