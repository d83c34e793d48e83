"""The command line, without the steps that need PyTorch."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from recipe import cli


def test_options_reach_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr("recipe.prepare.execute", seen.append)
    cli.main(["prepare", "--processes", "3"])
    assert seen[0].processes == 3


def test_an_unknown_step_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["train-everything"])
    assert "invalid choice" in capsys.readouterr().err


def test_all_stops_at_the_first_step_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def run(command: list[str], check: bool) -> SimpleNamespace:
        assert command[:3] == [sys.executable, "-m", "recipe"]
        ran.append(command[3])
        return SimpleNamespace(returncode=int(len(ran) == 3))

    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(SystemExit, match="train-blocks failed"):
        cli.main(["all"])
    assert ran == ["prepare", "embed-clean", "train-blocks"]
