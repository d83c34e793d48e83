"""Arithmetic coding of JPEG scans (ITU-T T.81, annexes D, F.1.4 and G.1.3)."""

# Table D.3: Qe, the next index after a less probable symbol, after a more probable one, and whether
# to switch.
STATES = [
    tuple(int(part, base) for part, base in zip(row.split(), (16, 10, 10, 10), strict=True))
    for row in """\
5a1d 1 1 1
2586 14 2 0
1114 16 3 0
080b 18 4 0
03d8 20 5 0
01da 23 6 0
00e5 25 7 0
006f 28 8 0
0036 30 9 0
001a 33 10 0
000d 35 11 0
0006 9 12 0
0003 10 13 0
0001 12 13 0
5a7f 15 15 1
3f25 36 16 0
2cf2 38 17 0
207c 39 18 0
17b9 40 19 0
1182 42 20 0
0cef 43 21 0
09a1 45 22 0
072f 46 23 0
055c 48 24 0
0406 49 25 0
0303 51 26 0
0240 52 27 0
01b1 54 28 0
0144 56 29 0
00f5 57 30 0
00b7 59 31 0
008a 60 32 0
0068 62 33 0
004e 63 34 0
003b 32 35 0
002c 33 9 0
5ae1 37 37 1
484c 64 38 0
3a0d 65 39 0
2ef1 67 40 0
261f 68 41 0
1f33 69 42 0
19a8 70 43 0
1518 72 44 0
1177 73 45 0
0e74 74 46 0
0bfb 75 47 0
09f8 77 48 0
0861 78 49 0
0706 79 50 0
05cd 48 51 0
04de 50 52 0
040f 50 53 0
0363 51 54 0
02d4 52 55 0
025c 53 56 0
01f8 54 57 0
01a4 55 58 0
0160 56 59 0
0125 57 60 0
00f6 58 61 0
00cb 59 62 0
00ab 61 63 0
008f 61 32 0
5b12 65 65 1
4d04 80 66 0
412c 81 67 0
37d8 82 68 0
2fe8 83 69 0
293c 84 70 0
2379 86 71 0
1edf 87 72 0
1aa9 87 73 0
174e 72 74 0
1424 72 75 0
119c 74 76 0
0f6b 74 77 0
0d51 75 78 0
0bb6 77 79 0
0a40 77 48 0
5832 80 81 1
4d1c 88 82 0
438e 89 83 0
3bdd 90 84 0
34ee 91 85 0
2eae 92 86 0
299a 93 87 0
2516 86 71 0
5570 88 89 1
4ca9 95 90 0
44d9 96 91 0
3e22 97 92 0
3824 99 93 0
32b4 99 94 0
2e17 93 86 0
56a8 95 96 1
4f46 101 97 0
47e5 102 98 0
41cf 103 99 0
3c3d 104 100 0
375e 99 93 0
5231 105 102 0
4c0f 106 103 0
4639 107 104 0
415e 103 99 0
5627 105 106 1
50e7 108 107 0
4b85 109 103 0
5597 110 109 0
504f 111 107 0
5a10 110 111 1
5522 112 109 0
59eb 112 111 1
5a1d 113 113 0""".splitlines()
]
FIXED = 113


class Encoder:
    """The encoder of D.1, with its output kept as one number: carries need no special case."""

    def __init__(self):
        self.low, self.range, self.shifts = 0, 0x10000, 0

    def bit(self, bins, place, value):
        state, likely = bins.get(place, (0, 0))
        size, after_lps, after_mps, switch = STATES[state]
        self.range -= size
        if value != likely:
            if self.range >= size:
                self.low += self.range
                self.range = size
            bins[place] = (after_lps, likely ^ switch)
        else:
            if self.range >= 0x8000:
                return
            if self.range < size:
                self.low += self.range
                self.range = size
            bins[place] = (after_mps, likely)
        while self.range < 0x8000:
            self.range <<= 1
            self.low <<= 1
            self.shifts += 1

    def finish(self):
        """The bytes, 0xff stuffed, without trailing zeros."""
        bits = self.shifts + 16
        padding = -bits % 8
        data = (self.low << padding).to_bytes((bits + padding) // 8 + 1, "big")
        # The code register starts with 16 bits before the first shift; its top byte takes carries
        # alone.
        assert data[0] == 0
        return data[1:].rstrip(b"\0").replace(b"\xff", b"\xff\0")


class ScanCoder:
    def __init__(self, scan, progressive):
        self.scan, self.progressive = scan, progressive
        self.reset()

    def reset(self):
        self.coder = Encoder()
        self.dc, self.ac = {}, {}
        self.fixed = {}
        self.previous = dict.fromkeys(self.scan.components, 0)
        self.context = dict.fromkeys(self.scan.components, 0)

    def half(self, value):
        self.fixed[0] = (FIXED, 0)
        self.coder.bit(self.fixed, 0, value)

    def block(self, index, block):
        table, scan = min(index, 1), self.scan
        if not self.progressive:
            self.direct(index, table, int(block[0]))
            self.band(table, [int(value) for value in block], 1, 63, 0)
        elif scan.start == 0:
            value = int(block[0]) >> scan.low
            if scan.high == 0:
                self.direct(index, table, value)
            else:
                self.half(value & 1)
        elif scan.high == 0:
            self.band(table, [int(value) for value in block], scan.start, scan.end, scan.low)
        else:
            self.refine(table, [int(value) for value in block])

    def magnitude(self, bins, base, value, high_base):
        """Codes `value` - 1 >= 0 by category and bits; returns the highest bit's weight.

        Figures F.8 and F.9.
        """
        code, rest, top = self.coder.bit, value - 1, 0
        place = base
        if rest:
            code(bins, place, 1)
            top, more = 1, rest >> 1
            place, more, top = high_base(more, bins, base, top)
            while more:
                code(bins, place, 1)
                top <<= 1
                place += 1
                more >>= 1
        code(bins, place, 0)
        weight = top >> 1
        while weight:
            code(bins, place + 14, int(bool(weight & rest)))
            weight >>= 1
        return top

    def direct(self, index, table, value):
        bins = self.dc.setdefault(table, {})
        base, difference = self.context[index], value - self.previous[index]
        self.previous[index] = value
        if difference == 0:
            self.coder.bit(bins, base, 0)
            self.context[index] = 0
            return
        negative = difference < 0
        self.coder.bit(bins, base, 1)
        self.coder.bit(bins, base + 1, int(negative))
        top = self.magnitude(
            bins,
            base + (3 if negative else 2),
            abs(difference),
            lambda more, *rest: (20, more, rest[2]),
        )
        # The default conditioning, L = 0 and U = 1 (F.1.4.4.1.2).
        self.context[index] = (8 if negative else 4) + (8 if top > 1 else 0)

    def band(self, table, block, start, end, low):
        bins, code = self.ac.setdefault(table, {}), self.coder.bit
        sizes = [abs(value) >> low for value in block]
        last = max((place for place in range(start, end + 1) if sizes[place]), default=start - 1)
        place = start
        while place <= last:
            code(bins, 3 * (place - 1), 0)
            while not sizes[place]:
                code(bins, 3 * (place - 1) + 1, 0)
                place += 1
            code(bins, 3 * (place - 1) + 1, 1)
            self.half(int(block[place] < 0))

            def high(more, bins, base, top, place=place):
                if not more:
                    return base, 0, top
                code(bins, base, 1)
                return (189 if place <= 5 else 217), more >> 1, top << 1

            self.magnitude(bins, 3 * (place - 1) + 2, sizes[place], high)
            place += 1
        if place <= end:
            code(bins, 3 * (place - 1), 1)

    def refine(self, table, block):
        bins, code, scan = self.ac.setdefault(table, {}), self.coder.bit, self.scan
        sizes = [abs(value) >> scan.low for value in block]
        span = range(scan.start, scan.end + 1)
        last = max((place for place in span if sizes[place]), default=scan.start - 1)
        before = max((place for place in span if sizes[place] > 1), default=0)
        place = scan.start
        while place <= last:
            if place > before:
                code(bins, 3 * (place - 1), 0)
            while not sizes[place]:
                code(bins, 3 * (place - 1) + 1, 0)
                place += 1
            if sizes[place] > 1:
                code(bins, 3 * (place - 1) + 2, sizes[place] & 1)
            else:
                code(bins, 3 * (place - 1) + 1, 1)
                self.half(int(block[place] < 0))
            place += 1
        if place <= scan.end:
            code(bins, 3 * (place - 1), 1)


def encode_scan(picture, scan, progressive, restart, mcus):
    """The entropy-coded bytes of a scan."""
    coder, out, count = ScanCoder(scan, progressive), b"", 0
    for number, unit in enumerate(mcus(picture, scan)):
        if restart and number and number % restart == 0:
            out += coder.coder.finish() + bytes([0xFF, 0xD0 + count % 8])
            count += 1
            coder.reset()
        for index, block in unit:
            coder.block(index, block)
    return out + coder.coder.finish()
