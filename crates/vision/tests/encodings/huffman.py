"""Bits and optimal Huffman tables of JPEG (ITU-T T.81, annexes C and K.2)."""


class BitWriter:
    def __init__(self):
        self.bytes = bytearray()
        self.pending, self.count = 0, 0

    def write(self, bits, count):
        self.pending = self.pending << count | bits & ((1 << count) - 1)
        self.count += count
        while self.count >= 8:
            self.count -= 8
            byte = self.pending >> self.count & 0xFF
            self.bytes.append(byte)
            if byte == 0xFF:
                self.bytes.append(0)
        self.pending &= (1 << self.count) - 1

    def align(self):
        """Fills the last byte with ones."""
        if self.count:
            self.write((1 << (8 - self.count)) - 1, 8 - self.count)

    def marker(self, code):
        self.bytes += bytes([0xFF, code])


class Table:
    def __init__(self, lengths):
        """`lengths`: code length of each symbol."""
        self.order = sorted(lengths, key=lambda symbol: (lengths[symbol], symbol))
        self.counts = [
            sum(1 for length in lengths.values() if length == size) for size in range(1, 17)
        ]
        self.codes, code, size = {}, 0, 0
        for symbol in self.order:
            code <<= lengths[symbol] - size
            size = lengths[symbol]
            self.codes[symbol] = (code, size)
            code += 1

    def definition(self):
        return bytes(self.counts) + bytes(self.order)


def optimal_table(frequencies):
    """Lengths by Huffman's procedure, one code of all ones reserved, cut to 16 bits as in K.2."""
    nodes = [(count, -symbol, [symbol]) for symbol, count in frequencies.items()] + [
        (0, -256, [256])
    ]
    lengths = {symbol: 0 for _, _, symbols in nodes for symbol in symbols}
    while len(nodes) > 1:
        nodes.sort()
        (first, _, left), (second, name, right), *nodes = nodes
        for symbol in left + right:
            lengths[symbol] += 1
        nodes.append((first + second, name, left + right))
    histogram = [0] * 64
    for length in lengths.values():
        histogram[length] += 1
    for length in range(63, 16, -1):
        while histogram[length]:
            shorter = length - 2
            while not histogram[shorter]:
                shorter -= 1
            histogram[length] -= 2
            histogram[length - 1] += 1
            histogram[shorter + 1] += 2
            histogram[shorter] -= 1
    longest = max(length for length in range(64) if histogram[length])
    histogram[longest] -= 1
    symbols = sorted(frequencies, key=lambda symbol: (lengths[symbol], symbol))
    sizes = [length for length in range(64) for _ in range(histogram[length])]
    return Table(dict(zip(symbols, sizes, strict=True)))
