"""The Lookalike server: where its files are, and a server for tests."""

from ._files import NotInstalledError, binary, environment
from ._server import Server, StartError

__all__ = ["NotInstalledError", "Server", "StartError", "binary", "environment"]
