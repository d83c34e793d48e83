"""Renders the sample pictures beside this file: people who do not exist.

They are drawn from tests/fixtures/eigenfaces.png; smaller copies go into the web console. Needs Pillow: after `make test-clients`, run
`.cache/venv/bin/python examples/faces/render.py`.
"""

import sys
from pathlib import Path

from PIL import Image, ImageEnhance

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "clients"))

import faces  # noqa: E402

ANA, BEN, CLEO = 3, 4, 0
SIDE = 400
CONSOLE = HERE.parents[1] / "src" / "console" / "ui" / "samples"
CONSOLE_SIDE = {"group.jpg": 560}


def portrait(person: int, picture: int, light: float = 1.0) -> Image.Image:
    """A picture of a person that the head fills, brighter or darker by the factor `light`."""
    image = (
        faces.face(person, picture)
        .crop((3, 3, 93, 93))
        .resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    )
    return ImageEnhance.Brightness(image).enhance(light)


def side_by_side(*pictures: Image.Image) -> Image.Image:
    """Several people in one picture, as in a video call."""
    gap = 12
    canvas = Image.new("RGB", (gap + len(pictures) * (SIDE + gap), SIDE + 2 * gap), (32, 34, 38))
    for index, picture in enumerate(pictures):
        canvas.paste(picture, (gap + index * (SIDE + gap), gap))
    return canvas


if __name__ == "__main__":
    for name, picture in {
        "ana-1.jpg": portrait(ANA, 1),
        "ana-2.jpg": portrait(ANA, 2, light=1.15),
        "ben.jpg": portrait(BEN, 1),
        "group.jpg": side_by_side(portrait(CLEO, 1), portrait(ANA, 3), portrait(BEN, 2)),
    }.items():
        picture.save(HERE / name, "JPEG", quality=85, optimize=True)
        side = CONSOLE_SIDE.get(name, 224)
        size = side, round(side * picture.height / picture.width)
        small = picture.resize(size, Image.Resampling.LANCZOS)
        small.save(CONSOLE / name, "JPEG", quality=70, optimize=True, progressive=True)
