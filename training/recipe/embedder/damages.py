"""What spoils a face: one kind of damage at a time, as hard as photographs bring it.

A damage is drawn once and then done to many faces alike, since that is where embeddings collapse:
two strangers, both blurred by 6 px, look more alike to a network than either looks like himself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from recipe.common import geometry
from recipe.embedder import views

Rng = np.random.Generator
Paint = Callable[[np.ndarray, Rng], np.ndarray]
Place = Callable[[Rng], np.ndarray]
SIDE = views.SIDE
MIDDLE = (SIDE - 1) / 2


@dataclass(frozen=True)
class Damage:
    """What a damage does to one face after another."""

    paint: Paint = lambda face, rng: face
    """From an aligned crop uint8 [112, 112, 3] to its damaged version."""
    place: Place = lambda rng: IDENTITY
    """An affine transform [2, 3] of the crop, done while it is cut from the wide crop."""


IDENTITY = np.eye(2, 3)


def near(value: float, rng: Rng, spread: float = 0.1) -> float:
    """A value like the given one, so that faces of one batch don't share every digit."""
    return value * float(np.exp(rng.normal(0, spread)))


def blurred(face: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of `sigma` pixels."""
    return cv2.GaussianBlur(face, (0, 0), sigma)


def small(face: np.ndarray, side: float, kind: int = cv2.INTER_LINEAR) -> np.ndarray:
    """The crop at `side` pixels, enlarged again."""
    pixels = max(round(side), 4)
    shrunk = cv2.resize(face, (pixels, pixels), interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (SIDE, SIDE), interpolation=kind)


def compressed(face: np.ndarray, quality: int, zoom: float = 1.0) -> np.ndarray:
    """Through JPEG, in a photograph whose face is `zoom` times as large as the crop."""
    side = round(SIDE * zoom)
    large = face if side == SIDE else cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    encoded = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    again = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return again if side == SIDE else cv2.resize(again, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def lit(face: np.ndarray, gain: float, lift: float, gamma: float) -> np.ndarray:
    """Another exposure, rounded to 8 bits as a camera does."""
    light = (face.astype(np.float32) / 255) ** gamma * 255 * gain + lift
    return np.clip(light, 0, 255).astype(np.uint8)


def around_middle(linear: np.ndarray, shift: np.ndarray | float = 0.0) -> np.ndarray:
    """The affine transform [2, 3] that does `linear` [2, 2] round the middle, then shifts."""
    middle = np.full(2, MIDDLE)
    return np.column_stack([linear, middle - linear @ middle + shift])


def turn(degrees: float, zoom: float = 1.0) -> np.ndarray:
    """A rotation [2, 2], enlarged."""
    cosine, sine = zoom * np.cos(np.radians(degrees)), zoom * np.sin(np.radians(degrees))
    return np.array([[cosine, -sine], [sine, cosine]])


def noisy(face: np.ndarray, sigma: float, rng: Rng) -> np.ndarray:
    """With Gaussian noise of `sigma` levels."""
    noise = np.empty(face.shape, np.int16)
    cv2.setRNGSeed(int(rng.integers(1 << 30)))
    cv2.randn(noise, 0, sigma)
    return cv2.add(face.astype(np.int16), noise).clip(0, 255).astype(np.uint8)


def barred(face: np.ndarray, rng: Rng, color: np.ndarray, height: float) -> np.ndarray:
    """With a bar over both eyes."""
    out, middle, half = face.copy(), 51.6 + rng.normal(0, 2), near(height, rng) / 2
    inset = rng.uniform(-20, 24)
    size, turned = (SIDE - 2 * inset, 2 * half), float(rng.normal(0, 3))
    corners = cv2.boxPoints(((MIDDLE, middle), size, turned))
    cv2.fillPoly(out, [corners.astype(np.int32)], tuple(float(c) for c in color))
    return out


def covered(face: np.ndarray, rng: Rng, share: float) -> np.ndarray:
    """With a thing of one color or texture in front, over about `share` of the crop."""
    out, side = face.copy(), np.sqrt(share) * SIDE
    middle = rng.uniform(10, SIDE - 10, 2)
    length = side * np.exp(rng.normal(0, 0.35, 2))
    cover = np.zeros((SIDE, SIDE), np.uint8)
    is_round = rng.random() < 0.5
    box = (tuple(middle.tolist()), tuple(length.tolist()), float(rng.uniform(0, 180)))
    if is_round:
        cv2.ellipse(cover, box, 255, -1)
    else:
        cv2.fillPoly(cover, [cv2.boxPoints(box).astype(np.int32)], 255)
    field = views.smooth_field(rng, int(rng.integers(2, 14)), rng.uniform(0, 60))[:, :, None]
    thing = np.clip(rng.uniform(0, 255, 3) + field, 0, 255).astype(np.uint8)
    return np.where(cover[:, :, None] > 0, thing, out)


def any_color(rng: Rng) -> np.ndarray:
    """Black, white, gray or any color."""
    kind = rng.random()
    if kind < 0.4:
        return np.zeros(3)
    return np.full(3, rng.uniform(0, 255)) if kind < 0.7 else rng.uniform(0, 255, 3)


def blur(rng: Rng) -> Damage:
    """Out of focus or shaken."""
    sigma, shaken = rng.uniform(1.2, 7.0), rng.random() < 0.25
    angle = rng.uniform(0, 180)

    def apply(face: np.ndarray, rng: Rng) -> np.ndarray:
        if not shaken:
            return blurred(face, near(sigma, rng))
        length = max(int(near(sigma, rng) * 3), 3)
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1
        turned = cv2.getRotationMatrix2D((length / 2 - 0.5,) * 2, angle, 1)
        kernel = cv2.warpAffine(kernel, turned, (length, length))
        return cv2.filter2D(
            face, -1, kernel / max(kernel.sum(), 1e-3), borderType=cv2.BORDER_REPLICATE
        )

    return Damage(apply)


def low_resolution(rng: Rng) -> Damage:
    """A face of few pixels."""
    side, kind = float(np.exp(rng.uniform(np.log(8), np.log(40)))), int(rng.integers(0, 3))
    return Damage(lambda face, rng: small(face, near(side, rng), kind))


def jpeg(rng: Rng) -> Damage:
    """Hard compression of a smaller or larger photograph."""
    quality, zoom = int(rng.integers(2, 14)), float(np.exp(rng.uniform(np.log(0.4), np.log(2.5))))
    return Damage(lambda face, rng: compressed(face, quality, near(zoom, rng)))


def exposure(rng: Rng) -> Damage:
    """Far too dark (usually) or too bright."""
    if rng.random() < 0.75:
        gain, lift = np.exp(rng.uniform(np.log(0.02), np.log(0.35))), rng.uniform(0, 6)
        gamma, sigma = rng.uniform(0.8, 1.6), rng.uniform(0, 3)
    else:
        gain, lift = rng.uniform(1.5, 4.0), rng.uniform(0, 120)
        gamma, sigma = rng.uniform(0.5, 1), 0.0

    def apply(face: np.ndarray, rng: Rng) -> np.ndarray:
        out = lit(face, near(gain, rng), lift, gamma)
        return noisy(out, sigma, rng) if sigma > 0.7 else out

    return Damage(apply)


def mask(rng: Rng) -> Damage:
    """A cloth over mouth and nose, of one color for all or of a color for each."""
    shared = rng.random() < 0.5
    seed = int(rng.integers(1 << 30))

    def apply(face: np.ndarray, rng: Rng) -> np.ndarray:
        cloth = np.random.default_rng([seed, int(rng.integers(3))]) if shared else rng
        return views.masked(face, cloth)

    return Damage(apply)


def bar(rng: Rng) -> Damage:
    """A bar or dark glasses over the eyes."""
    color, height = any_color(rng), rng.uniform(12, 34)
    return Damage(lambda face, rng: barred(face, rng, color, height))


def occlusion(rng: Rng) -> Damage:
    """A thing in front of the face."""
    share = rng.uniform(0.06, 0.4)
    return Damage(lambda face, rng: covered(face, rng, share))


def squeeze(rng: Rng) -> Damage:
    """Another aspect ratio; alignment makes good for the size, not for the shape."""
    factor, axis = rng.uniform(0.35, 0.8), int(rng.integers(0, 2))

    def place(rng: Rng) -> np.ndarray:
        scale = near(factor, rng, 0.05)
        sides = np.full(2, scale ** -rng.uniform(0.3, 0.7))
        sides[axis] *= scale
        return around_middle(np.diag(sides))

    return Damage(place=place)


def negative(rng: Rng) -> Damage:
    """Light and dark exchanged, in color or in gray."""
    gray = rng.random() < 0.3

    def apply(face: np.ndarray, _: Rng) -> np.ndarray:
        if gray:
            face = np.repeat(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2)
        return 255 - face

    return Damage(apply)


def noise(rng: Rng) -> Damage:
    """Sensor noise."""
    sigma = rng.uniform(15, 90)
    return Damage(lambda face, rng: noisy(face, near(sigma, rng), rng))


def wrong_turn(rng: Rng) -> Damage:
    """A face that the detector's landmarks did not put upright."""
    degrees = float(rng.choice([90, 180, 270])) if rng.random() < 0.7 else rng.uniform(25, 335)

    def place(rng: Rng) -> np.ndarray:
        linear = turn(degrees + rng.normal(0, 5), near(1.0, rng))
        return around_middle(linear, rng.normal(0, 3, 2))

    return Damage(place=place)


def misplaced(rng: Rng) -> Damage:
    """A crop whose landmarks are far off."""
    shift, spread, roll = rng.uniform(3, 14), rng.uniform(0.05, 0.25), rng.uniform(5, 25)

    def place(rng: Rng) -> np.ndarray:
        linear = turn(rng.normal(0, roll), near(1.0, rng, spread))
        return around_middle(linear, rng.normal(0, shift, 2))

    return Damage(place=place)


KINDS: dict[Callable[[Rng], Damage], float] = {
    blur: 2.0, low_resolution: 2.0, jpeg: 1.5, exposure: 1.5, mask: 2.0, bar: 1.5, occlusion: 1.0,
    squeeze: 1.5, negative: 0.7, noise: 1.5, wrong_turn: 0.7, misplaced: 1.5,
}  # fmt: skip
"""Damages and how often each is drawn, relative to the others."""


def draw(rng: Rng) -> Damage:
    """A random damage; now and then two, one upon the other."""
    chances = np.array(list(KINDS.values()))
    kinds = list(KINDS)
    first, second = (
        kinds[i](rng) for i in rng.choice(len(kinds), 2, replace=False, p=chances / chances.sum())
    )
    if rng.random() < 0.85:
        return first
    return Damage(
        paint=lambda face, rng: second.paint(first.paint(face, rng), rng),
        place=lambda rng: geometry.compose(second.place(rng), first.place(rng)),
    )


def view(wide: np.ndarray, damage: Damage | None, spoiled: float, rng: Rng) -> np.ndarray:
    """A view [112, 112, 3] of a wide crop; `spoiled` is the chance of a common photo's damage."""
    crop = views.jittered(wide, rng, None if damage is None else damage.place(rng))
    if rng.random() < spoiled:
        crop = views.damaged(crop, rng)
    return crop if damage is None else damage.paint(crop, rng)
