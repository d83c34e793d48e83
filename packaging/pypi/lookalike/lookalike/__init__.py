"""The Lookalike server: where its files are, and a server for tests."""

from ._files import NotInstalled, binary, environment
from ._server import Server, StartError

__all__ = ["NotInstalled", "Server", "StartError", "binary", "environment"]
