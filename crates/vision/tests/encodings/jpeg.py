"""A JPEG encoder that writes what common encoders cannot: any sampling, scan script and marker.

Coefficients are computed once per picture; a scan script then orders them. ITU-T T.81 names the
procedures.
"""

import struct
from dataclasses import dataclass, field

import arithmetic
import numpy as np
from huffman import BitWriter, optimal_table
from PIL import Image

ZIGZAG = [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34,
    27, 20, 13, 6, 7, 14, 21, 28,     35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37,
    44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55,     62, 63,
]  # fmt: skip

LUMA = [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57,
    69, 56, 14, 17, 22, 29, 51, 87,     80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55,
    64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92,     95, 98, 112, 100, 103,
    99,
]  # fmt: skip
CHROMA = [
        17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99,
    99, 99, 47, 66, 99, 99, 99, 99,     99, 99,
] + [99] * 32  # fmt: skip

BASIS = np.array(
    [
        [np.sqrt((1 if k == 0 else 2) / 8) * np.cos((2 * n + 1) * k * np.pi / 16) for n in range(8)]
        for k in range(8)
    ]
)


def quantizers(base, quality):
    """The tables of T.81, K.1, scaled as the IJG's software does."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((np.array(base) * scale + 50) // 100, 1, 255).astype(int)


def segment(marker, data=b""):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


@dataclass
class Component:
    identifier: int
    h: int
    v: int
    table: int
    blocks: np.ndarray  # [rows, columns, 64] in zigzag order, padded to whole MCUs
    rows: int  # block rows and columns of a scan of this component alone
    columns: int


@dataclass
class Scan:
    """Components by index, the band `start..=end`, and the bit position `high` -> `low`.

    A `high` of 0 is the first pass.
    """

    components: tuple
    start: int = 0
    end: int = 63
    high: int = 0
    low: int = 0


@dataclass
class Picture:
    width: int
    height: int
    components: list
    tables: list
    before: list = field(default_factory=list)  # segments after SOI


def picture(planes, sampling, quality=80, identifiers=None, luma_only=()):
    """Planes of full size (float arrays), one (h, v) per plane."""
    height, width = planes[0].shape
    h_max, v_max = max(h for h, _ in sampling), max(v for _, v in sampling)
    tables = [quantizers(LUMA, quality), quantizers(CHROMA, quality)]
    components = []
    for index, (plane, (h, v)) in enumerate(zip(planes, sampling, strict=True)):
        table = 0 if index in (0, 3) or index in luma_only else 1
        size = (-(-width * h // h_max), -(-height * v // v_max))
        scaled = np.asarray(
            Image.fromarray(plane.astype(np.float32), "F").resize(size, Image.Resampling.BOX)
        )
        mcus = (-(-height // (8 * v_max)), -(-width // (8 * h_max)))
        rows, columns = mcus[0] * v, mcus[1] * h
        padded = (
            np.pad(scaled, ((0, rows * 8 - size[1]), (0, columns * 8 - size[0])), mode="edge") - 128
        )
        cells = padded.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).astype(np.float64)
        frequencies = np.einsum("ki,rcij,lj->rckl", BASIS, cells, BASIS).reshape(rows, columns, 64)
        blocks = np.rint(frequencies / tables[table]).astype(int)[:, :, ZIGZAG]
        identifier = identifiers[index] if identifiers else index + 1
        components.append(
            Component(identifier, h, v, table, blocks, -(-size[1] // 8), -(-size[0] // 8))
        )
    return Picture(width, height, components, tables)


def mcus(picture, scan):
    """Lists of (component index, block), MCU by MCU."""
    if len(scan.components) == 1:
        index = scan.components[0]
        component = picture.components[index]
        for row in range(component.rows):
            for column in range(component.columns):
                yield [(index, component.blocks[row, column])]
        return
    chosen = [picture.components[index] for index in scan.components]
    for row in range(chosen[0].blocks.shape[0] // chosen[0].v):
        for column in range(chosen[0].blocks.shape[1] // chosen[0].h):
            unit = []
            for index, component in zip(scan.components, chosen, strict=True):
                for y in range(component.v):
                    line = component.blocks[row * component.v + y]
                    unit.extend((index, line[column * component.h + x]) for x in range(component.h))
            yield unit


def magnitude(value):
    """The category of a value and its additional bits (T.81, F.1.2.1)."""
    bits = int(abs(value)).bit_length()
    return bits, int(value) if value >= 0 else int(value) + (1 << bits) - 1


class Tokens:
    """Symbols with their additional bits, kept until the tables are known."""

    def __init__(self):
        self.list = []
        self.frequencies = {}

    def symbol(self, table, symbol, bits=0, count=0):
        self.frequencies.setdefault(table, {}).setdefault(symbol, 0)
        self.frequencies[table][symbol] += 1
        self.list.append((table, symbol, bits, count))

    def bits(self, bits, count):
        self.list.append((None, 0, bits, count))

    def restart(self):
        self.list.append("restart")


class ScanCoder:
    def __init__(self, picture, scan, progressive):
        self.picture, self.scan, self.progressive = picture, scan, progressive
        self.tokens = Tokens()
        self.reset()

    def reset(self):
        self.previous = dict.fromkeys(self.scan.components, 0)
        self.run, self.correction = 0, []

    def class_of(self, index):
        return min(index, 1)

    def code(self, restart):
        units = list(mcus(self.picture, self.scan))
        for number, unit in enumerate(units):
            if restart and number and number % restart == 0:
                self.flush_run()
                self.tokens.restart()
                self.reset()
            for index, block in unit:
                self.block(index, block)
        self.flush_run()
        return self.tokens

    def block(self, index, block):
        scan = self.scan
        if not self.progressive:
            self.direct(index, int(block[0]))
            self.band(index, block, 1, 63)
        elif scan.start == 0:
            if scan.high == 0:
                self.direct(index, int(block[0]) >> scan.low)
            else:
                self.tokens.bits((int(block[0]) >> scan.low) & 1, 1)
        elif scan.high == 0:
            self.first(index, block)
        else:
            self.refine(index, block)

    def direct(self, index, value):
        count, bits = magnitude(value - self.previous[index])
        self.previous[index] = value
        self.tokens.symbol(("dc", self.class_of(index)), count, bits, count)

    def band(self, index, block, start, end):
        table, zeros = ("ac", self.class_of(index)), 0
        for value in block[start : end + 1]:
            if value == 0:
                zeros += 1
                continue
            while zeros > 15:
                self.tokens.symbol(table, 0xF0)
                zeros -= 16
            count, bits = magnitude(value)
            self.tokens.symbol(table, zeros << 4 | count, bits, count)
            zeros = 0
        if zeros:
            self.tokens.symbol(table, 0)

    def flush_run(self):
        if self.run:
            count = self.run.bit_length() - 1
            self.tokens.symbol(self.table, count << 4, self.run - (1 << count), count)
            self.run = 0
        for bit in self.correction:
            self.tokens.bits(bit, 1)
        self.correction = []

    def first(self, index, block):
        self.table, zeros, low = ("ac", self.class_of(index)), 0, self.scan.low
        for value in block[self.scan.start : self.scan.end + 1]:
            size = abs(int(value)) >> low
            if size == 0:
                zeros += 1
                continue
            self.flush_run()
            while zeros > 15:
                self.tokens.symbol(self.table, 0xF0)
                zeros -= 16
            count, bits = magnitude(size if value > 0 else -size)
            self.tokens.symbol(self.table, zeros << 4 | count, bits, count)
            zeros = 0
        if zeros:
            self.run += 1
            if self.run == 0x7FFF:
                self.flush_run()

    def refine(self, index, block):
        self.table, low = ("ac", self.class_of(index)), self.scan.low
        band = [int(value) for value in block[self.scan.start : self.scan.end + 1]]
        sizes = [abs(value) >> low for value in band]
        last = max((place for place, size in enumerate(sizes) if size == 1), default=-1)
        zeros, bits = 0, []
        for place, size in enumerate(sizes):
            if size == 0:
                zeros += 1
                continue
            while zeros > 15 and place <= last:
                self.flush_run()
                self.tokens.symbol(self.table, 0xF0)
                zeros -= 16
                for bit in bits:
                    self.tokens.bits(bit, 1)
                bits = []
            if size > 1:
                bits.append(size & 1)
                continue
            self.flush_run()
            self.tokens.symbol(self.table, zeros << 4 | 1, int(band[place] > 0), 1)
            for bit in bits:
                self.tokens.bits(bit, 1)
            zeros, bits = 0, []
        if zeros or bits:
            self.run += 1
            self.correction += bits
            if self.run == 0x7FFF or len(self.correction) > 900:
                self.flush_run()


def entropy_coded(tokens, tables):
    """The bytes of a scan, and the DHT segment that it needs."""
    writer, number = BitWriter(), 0
    for token in tokens.list:
        if token == "restart":
            writer.align()
            writer.marker(0xD0 + number % 8)
            number += 1
            continue
        table, symbol, bits, count = token
        if table is not None:
            writer.write(*tables[table].codes[symbol])
        writer.write(bits, count)
    writer.align()
    return bytes(writer.bytes)


def frame(picture, marker, precision=8):
    data = struct.pack(">BHHB", precision, picture.height, picture.width, len(picture.components))
    for component in picture.components:
        data += bytes([component.identifier, component.h << 4 | component.v, component.table])
    return segment(marker, data)


def scan_header(picture, scan, progressive):
    data = bytes([len(scan.components)])
    for index in scan.components:
        kind = min(index, 1)
        dc = kind if scan.start == 0 else 0
        ac = kind if scan.end > 0 else 0
        data += bytes([picture.components[index].identifier, dc << 4 | ac])
    return segment(0xDA, data + bytes([scan.start, scan.end, scan.high << 4 | scan.low]))


def encode(
    picture,
    scans=None,
    progressive=False,
    arithmetic_coding=False,
    restart=0,
    before=(),
    between=None,
    sof=None,
    end=True,
):
    """A JPEG file.

    `before`: segments after SOI. `between`: a function of the scan's number to bytes before its
    SOS.
    """
    scans = scans or [Scan(tuple(range(len(picture.components))))]
    out = b"\xff\xd8" + b"".join(before)
    for number, table in enumerate(picture.tables):
        out += segment(0xDB, bytes([number]) + bytes(int(table[place]) for place in ZIGZAG))
    out += frame(
        picture,
        sof
        or (0xC2 if progressive else 0xC0)
        + (8 if arithmetic_coding else 0)
        + (1 if arithmetic_coding and not progressive else 0),
    )
    if restart:
        out += segment(0xDD, struct.pack(">H", restart))
    for number, scan in enumerate(scans):
        if between:
            out += between(number)
        if arithmetic_coding:
            out += scan_header(picture, scan, progressive)
            out += arithmetic.encode_scan(picture, scan, progressive, restart, mcus)
            continue
        tokens = ScanCoder(picture, scan, progressive).code(restart)
        tables = {name: optimal_table(counts) for name, counts in tokens.frequencies.items()}
        for (kind, place), table in tables.items():
            out += segment(
                0xC4, bytes([(0x10 if kind == "ac" else 0) | place]) + table.definition()
            )
        out += scan_header(picture, scan, progressive) + entropy_coded(tokens, tables)
    return out + (b"\xff\xd9" if end else b"")


def lossless(planes, predictor, transform=0, restart_rows=0):
    """Process 14 of T.81: a Huffman code of prediction errors."""
    height, width = planes[0].shape
    count = len(planes)
    values = [plane.astype(int) for plane in planes]
    tokens = Tokens()
    for y in range(height):
        if restart_rows and y and y % restart_rows == 0:
            tokens.restart()
        fresh = y == 0 or (restart_rows and y % restart_rows == 0)
        for x in range(width):
            for index, plane in enumerate(values):
                left = plane[y, x - 1] if x else None
                above = plane[y - 1, x] if y else None
                if fresh:
                    guess = left if x else 1 << (7 - transform)
                elif x == 0:
                    guess = above
                else:
                    corner = plane[y - 1, x - 1]
                    guess = [
                        0,
                        left,
                        above,
                        corner,
                        left + above - corner,
                        left + (above - corner >> 1),
                        above + (left - corner >> 1),
                        left + above >> 1,
                    ][predictor]
                size, bits = magnitude(plane[y, x] - guess)
                tokens.symbol(("dc", min(index, 1)), size, bits, size)
    out = b"\xff\xd8" + segment(
        0xC3,
        struct.pack(">BHHB", 8, height, width, count)
        + b"".join(bytes([index + 1, 0x11, 0]) for index in range(count)),
    )
    tables = {name: optimal_table(counts) for name, counts in tokens.frequencies.items()}
    for (_, place), table in tables.items():
        out += segment(0xC4, bytes([place]) + table.definition())
    if restart_rows:
        out += segment(0xDD, struct.pack(">H", restart_rows * width))
    header = bytes([count]) + b"".join(
        bytes([index + 1, min(index, 1) << 4]) for index in range(count)
    )
    return (
        out
        + segment(0xDA, header + bytes([predictor, 0, transform]))
        + entropy_coded(tokens, tables)
        + b"\xff\xd9"
    )
