"""What the analyzer predicts: names, order, units, and how labels turn when a crop is mirrored."""

from __future__ import annotations

import numpy as np

from recipe.common import geometry

SIDE, SCALE = 64, 0.7
"""The network's square input side, and how far the alignment template is shrunk around its center.

Larger crops of these photos did worse: they hold no more detail, and each step takes twice as long.
"""
DRAWN = 96
"""Side at which training views are drawn and damaged before they are shrunk."""

ATTRIBUTES = (
    "eyes_open", "mouth_open", "smile", "eyeglasses", "sunglasses", "beard", "mustache", "male",
    "face_occluded",
)  # fmt: skip
EMOTIONS = ("HAPPY", "SAD", "ANGRY", "CONFUSED", "DISGUSTED", "SURPRISED", "CALM", "FEAR")
AGES = 101
AGE_RANGE = (0.1, 0.9)
"""Quantiles of the age distribution between which AgeRange lies."""

# Landmark name -> face mesh points whose mean it is. "Left" is the image's left, as in the API.
LANDMARKS: dict[str, tuple[int, ...]] = {
    "eyeLeft": (468,), "eyeRight": (473,), "mouthLeft": (61,), "mouthRight": (291,), "nose": (1, 4),
    "leftEyeBrowLeft": (70, 46), "leftEyeBrowRight": (107, 55), "leftEyeBrowUp": (105,),
    "rightEyeBrowLeft": (336, 285), "rightEyeBrowRight": (300, 276), "rightEyeBrowUp": (334,),
    "leftEyeLeft": (33,), "leftEyeRight": (133,), "leftEyeUp": (159,), "leftEyeDown": (145,),
    "rightEyeLeft": (362,), "rightEyeRight": (263,), "rightEyeUp": (386,), "rightEyeDown": (374,),
    "noseLeft": (98,), "noseRight": (327,), "mouthUp": (0,), "mouthDown": (17,),
    "leftPupil": (468,), "rightPupil": (473,),
    "upperJawlineLeft": (127,), "midJawlineLeft": (58,), "chinBottom": (152,),
    "midJawlineRight": (288,), "upperJawlineRight": (356,),
}  # fmt: skip
NAMES = tuple(LANDMARKS)


def mirrored_name(name: str) -> str:
    """The landmark that stands in this one's place after mirroring."""
    turned = name.replace("Left", "\0").replace("Right", "Left").replace("\0", "Right")
    return turned.replace("left", "\0").replace("right", "left").replace("\0", "right")


MIRROR = np.array([NAMES.index(mirrored_name(name)) for name in NAMES])
"""landmarks[MIRROR] puts the landmarks of a mirrored crop back in order."""
FIVE = np.array(
    [NAMES.index(name) for name in ("eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight")]
)
"""The detector's five landmarks, in the detector's order, among the thirty."""
OUTPUTS = {
    "landmarks": (len(NAMES), 2),
    "pose": (3,),
    "attributes": (len(ATTRIBUTES),),
    "age": (AGES,),
    "emotions": (len(EMOTIONS),),
    "eye_direction": (3,),
}


def from_wide(points: np.ndarray) -> np.ndarray:
    """Points in 0..1 of the cached wide crop to 0..1 of the analyzer's crop."""
    return (points - 0.5) * (SCALE / geometry.WIDE_SCALE) + 0.5
