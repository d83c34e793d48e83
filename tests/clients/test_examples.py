"""The fixtures that users copy, as they would run them."""

import sys

from server import BINARY


def test_the_fixtures_with_a_server_that_runs_already(server, run):
    result = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/pytest", LOOKALIKE_URL=server.url)
    assert result.returncode == 0 and "3 passed" in result.stdout, result.stdout


def test_the_fixtures_with_a_server_of_their_own(run):
    result = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/pytest", LOOKALIKE_BIN=str(BINARY))
    assert result.returncode == 0 and "3 passed" in result.stdout, result.stdout
