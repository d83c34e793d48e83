"""Every step can be called."""

from __future__ import annotations

import argparse
from importlib import import_module

import pytest

from recipe import cli


@pytest.mark.parametrize("name", cli.STEPS)
def test_every_step_has_help_and_runs_without_options(name: str) -> None:
    module = import_module(cli.STEPS[name][0])
    parser = argparse.ArgumentParser(description=module.__doc__)
    module.add_arguments(parser)
    parser.parse_args([])
    assert callable(module.execute)
