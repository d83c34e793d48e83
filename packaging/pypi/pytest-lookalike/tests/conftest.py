"""The pictures of the examples, and pytest in a process of its own."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

FACES = Path(__file__).resolve().parents[4] / "examples" / "faces"


@pytest.fixture
def picture():
    """An image of the examples, as a request takes it."""
    return lambda name: {"Bytes": (FACES / f"{name}.jpg").read_bytes()}
