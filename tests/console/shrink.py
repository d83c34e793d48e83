"""Writes the screenshots of one folder into another: WebP, and a PNG with a palette for the README."""

import sys
from pathlib import Path

from PIL import Image

MOST_BYTES = 60_000
README = "console-try"

source, target = map(Path, sys.argv[1:])
target.mkdir(parents=True, exist_ok=True)
for path in sorted(source.glob("*.png")):
    picture = Image.open(path).convert("RGB")
    if path.stem == README:
        small = target / path.name
        palette = picture.quantize(128, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE, kmeans=5)
        palette.save(small, optimize=True)
    else:
        small = target / f"{path.stem}.webp"
        picture.save(small, quality=72, method=6)
    size = small.stat().st_size
    print(f"{small.name}: {size} bytes")
    if size > MOST_BYTES:
        sys.exit(f"{small.name} is larger than {MOST_BYTES} bytes")
