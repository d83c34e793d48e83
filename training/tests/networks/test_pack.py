"""Checks of what is written about the pack, on the shipped networks and made-up figures."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from recipe.analyzer.spec import SCALE, SIDE
from recipe.common import data
from recipe.pack import card, write
from recipe.verifier import spec

LINE = {"fmr": 1e-3, "fnmr": 0.25, "false_matches": 3, "impostor_pairs": 3000}
LINE |= {"misses": 5, "genuine_pairs": 20}
SET = {"recall": 0.9, "false_per_image": 0.05, "landmark_error": 0.03}
FIGURES = {
    "detector": {
        "threshold": 0.61,
        "sets": {"real": SET, "composites": SET},
        "teacher_self_landmark_error": 0.04,
        "large_found": {"320": 1.0},
        "teacher_large_found": {"320": 0.99},
    },
    "embedder": {
        "mine": {"verification": 0.91, "table": [{"similarity": s} | LINE for s in (80, 99)]},
        "teacher": {"verification": 0.93},
        "share_of_teacher": 0.98,
        "cosine_to_teacher": 0.8,
        "groups": {"masks": {"faces": 12, "cosine": 0.7}},
        "calibration": {"cosine": (0.0, 0.4, 1.0), "similarity": (0.0, 80.0, 100.0)},
        "quality": {"cosine": (0.0, 1.0), "weight": (0.7, 1.0)},
    },
    "analyzer": {
        "rows": [["analyzer: smile, %", 91.5, ">= 88"]],
        "reliability": {"smile": [["0.9-1.0", 7, 0.95, 0.97]]},
        "groups": [["masked (9)", "roll 3.0"]],
        "smile_percent": 91.5,
    },
    "timing": {"analyzer": 2.5},
}


def test_pack_toml_has_the_checksums_the_inputs_and_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "verifier.json").write_text('{"calibration": [-0.5, 1.2, 1.0]}')
    monkeypatch.setattr(spec, "FIGURES", tmp_path / "verifier.json")
    pack = tomllib.loads(write.toml(data.PACK, FIGURES))
    for name in ("detector", "embedder", "analyzer"):
        content = (data.PACK / pack[name]["file"]).read_bytes()
        assert pack[name]["sha256"] == hashlib.sha256(content).hexdigest()
    assert (pack["analyzer"]["size"], pack["analyzer"]["scale"]) == (SIDE, SCALE)
    assert pack["detector"]["score_threshold"] == spec.THRESHOLD
    assert pack["verifier"]["calibration"] == [-0.5, 1.2, 1.0]
    assert pack["calibration"] == {"cosine": [0, 0.4, 1], "similarity": [0, 80, 100]}
    assert pack["quality"]["weight"] == [0.7, 1] and pack["quality"]["auto"] == 0.4
    assert pack["detector"]["max_side"] == 768 and pack["verifier"]["refine_landmarks"]
    assert pack["analyzer"]["age_quantiles"] == [0.1, 0.9]
    assert pack["accuracy"]["verification_percent"] == 91
    assert pack["accuracy"]["analyzer_milliseconds"] == 2.5


def test_the_card_fills_every_field_and_its_tables_are_even() -> None:
    text = card.card(data.PACK, FIGURES)
    assert "$" not in text
    assert "| analyzer: smile, % | 91.5 | >= 88 |" in text
    assert "| 80 | 3 of 3000 | 1.00e-03 | 5 of 20 | 25.0 % |" in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1
