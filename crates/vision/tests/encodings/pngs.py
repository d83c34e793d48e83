"""A PNG writer for every color type, depth, interlacing and damage."""

import struct
import zlib

import numpy as np

MAGIC = b"\x89PNG\r\n\x1a\n"
ADAM7 = [
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(kind, data=b"", crc=None):
    return (
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data) if crc is None else crc)
    )


def packed(samples, depth):
    """Rows of [height, width, channels] as bytes."""
    height = samples.shape[0]
    rows = samples.reshape(height, -1)
    if depth == 16:
        return rows.astype(">u2").view(np.uint8).reshape(height, -1)
    if depth == 8:
        return rows.astype(np.uint8)
    bits = (rows[:, :, None] >> np.arange(depth - 1, -1, -1) & 1).reshape(height, -1)
    return np.packbits(bits.astype(np.uint8), axis=1)


def filtered(rows, pixel, kinds):
    """Filter bytes and filtered rows; `kinds` are taken in turn."""
    out, above = b"", np.zeros(rows.shape[1], int)
    for number, row in enumerate(rows.astype(int)):
        left = np.concatenate([np.zeros(pixel, int), row[:-pixel]])[: len(row)]
        corner = np.concatenate([np.zeros(pixel, int), above[:-pixel]])[: len(row)]
        guess = left + above - corner
        a, b, c = abs(guess - left), abs(guess - above), abs(guess - corner)
        paeth = np.where((a <= b) & (a <= c), left, np.where(b <= c, above, corner))
        kind = kinds[number % len(kinds)]
        predicted = [0, left, above, (left + above) // 2, paeth][kind]
        out += bytes([kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes()
        above = row
    return out


def image_data(samples, color, depth, interlaced=False, kinds=(0, 1, 2, 3, 4)):
    pixel = max(1, CHANNELS[color] * depth // 8)
    if not interlaced:
        return filtered(packed(samples, depth), pixel, kinds)
    passes = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7]
    return b"".join(filtered(packed(part, depth), pixel, kinds) for part in passes if part.size)


def header(width, height, color, depth, interlaced):
    return chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    )


def png(
    samples,
    color,
    depth=8,
    interlaced=False,
    before=b"",
    after=b"",
    split=None,
    idat=None,
    end=None,
    kinds=(0, 1, 2, 3, 4),
):
    height, width = samples.shape[:2]
    stream = (
        zlib.compress(image_data(samples, color, depth, interlaced, kinds), 9)
        if idat is None
        else idat
    )
    parts = [stream[at : at + split] for at in range(0, len(stream), split)] if split else [stream]
    data = b"".join(chunk(b"IDAT", part) for part in parts)
    return (
        MAGIC
        + header(width, height, color, depth, interlaced)
        + before
        + data
        + after
        + (chunk(b"IEND") if end is None else end)
    )
