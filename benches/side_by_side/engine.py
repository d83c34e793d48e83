"""Talks to the engine of engine.rs, and knows the threshold that the API searches with."""

import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path

PACK = Path(__file__).resolve().parents[2] / "models" / "default" / "pack.toml"
NO_FLOOR = -2.0


class Engine:
    """The engine's line protocol."""

    def __init__(self, path, *arguments):
        command = [path, *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.name = f"lookalike ({self.process.stdout.readline().split()[1]})"

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            raise RuntimeError("the engine has died")
        return answer

    def search(self, query, k, floor=NO_FLOOR):
        seconds, *hits = self.ask("search", query, k, floor)
        pairs = [hit.split(":") for hit in hits]
        return (
            float(seconds) / 1e6,
            [int(row) for row, _ in pairs],
            [float(cosine) for _, cosine in pairs],
        )


def floor_of(similarity):
    """The least cosine with that Similarity in the default pack."""
    calibration = tomllib.loads(PACK.read_text())["calibration"]
    knots = list(zip(calibration["cosine"], calibration["similarity"]))
    for (low, below), (high, above) in pairwise(knots):
        if below < similarity <= above:
            return low + (high - low) * (similarity - below) / (above - below)
    raise ValueError(f"no cosine has Similarity {similarity}")
