"""How the verifier's crops are cut, and where its calibration is kept."""

from recipe.common import data

SIDE = 96
"""Side of the crop in pixels."""
SCALE = 0.4
"""How far the alignment template is shrunk in the crop, so that it shows what is around."""
THRESHOLD = 0.35
"""Detector score from which a find gets the second look."""
FIGURES = data.WORK / "verifier.json"
"""The calibration of the last export."""
