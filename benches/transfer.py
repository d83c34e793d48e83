"""A million faces in and out: the time and memory of import and export, and whether the answers are equal.

    make bench-transfer   or: python benches/transfer.py [--faces 1000000] [--users 10000]

The vectors are random directions. It writes an export of that many faces, imports it into a server with an empty folder, exports it from
there, imports that into a second server, and compares the two files and the answers of both servers to searches.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from array import array
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "clients"))
os.environ.setdefault("LOOKALIKE_BIN", str(ROOT / "target" / "release" / "lookalike"))

import server  # noqa: E402

DIMENSIONS = 128
PROBES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where the files go; a temporary folder if not given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measure(options, Path(folder))


def measure(options: argparse.Namespace, folder: Path) -> None:
    made, again = folder / "made.jsonl", folder / "again.jsonl"
    with Server(folder / "empty") as empty:
        empty.call("CreateCollection", CollectionId="model")
        pack = next(json.loads(line)["collection"]["pack"] for line in empty.export().splitlines() if b'"collection"' in line)
    print(f"{options.faces} faces of {options.users} users, {DIMENSIONS} components")
    ids = write(made, pack, options.faces, options.users)
    print(f"file: {made.stat().st_size / 1e6:.0f} MB")
    with Server(folder / "first") as first:
        before = first.peak()
        seconds = timed([server.BINARY, "import", made, "--server", first.url])
        print(f"import over HTTP: {seconds:.1f} s, {options.faces / seconds:.0f} faces/s; peak memory {first.peak():.0f} MB, {before:.0f} MB idle")
    with Server(folder / "first") as first:
        before = first.peak()
        seconds = timed([server.BINARY, "export", again, "--server", first.url])
        print(f"export over HTTP: {seconds:.1f} s, {options.faces / seconds:.0f} faces/s; peak memory {first.peak():.0f} MB, {before:.0f} MB idle")
        print("files equal but for their first line:", same(made, again))
        answers = first.search(ids)
    seconds = timed([server.BINARY, "import", again, "--data", folder / "second"], mkdir=folder / "second")
    print(f"import into a folder: {seconds:.1f} s")
    with Server(folder / "second") as second:
        print(f"answers of {2 * PROBES} searches equal:", second.search(ids) == answers)
    seconds = timed([server.BINARY, "backup", folder / "copy", "--data", folder / "second"])
    print(f"backup: {seconds:.1f} s, {(folder / 'copy/lookalike.sqlite3').stat().st_size / 1e6:.0f} MB")


def write(path: Path, pack: dict, faces: int, users: int) -> list[str]:
    """An export with random faces, every tenth with a user; some of their ids."""
    source = random.Random(1)
    ids = []
    with path.open("wb") as file:
        digest = hashlib.sha256()

        def line(value: dict) -> None:
            text = json.dumps(value, separators=(",", ":")).encode() + b"\n"
            digest.update(text)
            file.write(text)

        line({"lookalike_export": {"version": 1, "server": "bench"}})
        tenant = {"account": "000000000000", "region": "us-east-1", "name": "million", "face_model_version": "7.0"}
        line({"collection": tenant | {"pack": pack, "created_at": 0, "tags": {}, "users": users, "faces": faces}})
        for user in range(users):
            line({"user": f"user-{user}"})
        for number in range(faces):
            face_id = str(uuid.UUID(int=source.getrandbits(128), version=4))
            if number % (faces // PROBES) == 0:
                ids.append(face_id)
            face = {"face_id": face_id, "image_id": str(uuid.UUID(int=number)), "image_sha256": f"{number:064x}"}
            face |= {"external_image_id": f"image-{number}", "ordinal": 0, "box": [0.25, 0.25, 0.5, 0.5], "confidence": 99.5}
            face |= {"face_model_version": "7.0"}
            if number % 10 == 0:
                face["user"] = f"user-{number // 10 % users}"
            line({"face": face | {"vector": vector(source)}})
        end = {"collections": 1, "users": users, "faces": faces, "sha256": digest.hexdigest()}
        file.write(json.dumps({"end": end}, separators=(",", ":")).encode() + b"\n")
    return ids


def vector(source: random.Random) -> str:
    raw = array("b", source.randbytes(DIMENSIONS))
    length = math.sqrt(sum(value * value for value in raw))
    return base64.b64encode(array("f", [value / length for value in raw]).tobytes()).decode()


def same(made: Path, again: Path) -> bool:
    """Whether all lines between the first and the last are equal."""
    with made.open("rb") as one, again.open("rb") as other:
        next(one), next(other)
        return all(a == b or a.startswith(b'{"end"') for a, b in zip(one, other, strict=True))


def timed(command: list, mkdir: Path | None = None) -> float:
    if mkdir:
        mkdir.mkdir()
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=server.environment())
    return time.monotonic() - began


class Server(server.Server, contextlib.AbstractContextManager):
    """The binary on a port of its own."""

    def __exit__(self, *_) -> None:
        self.stop()

    def peak(self) -> float:
        """The most memory that the process has held, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024 / 1e6

    def export(self) -> bytes:
        with urllib.request.urlopen(f"{self.url}/_lookalike/export") as answer:
            return answer.read()

    def call(self, operation: str, **members) -> dict:
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"RekognitionService.{operation}"}
        request = urllib.request.Request(self.url, json.dumps(members).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def search(self, ids: list[str]) -> list[dict]:
        faces = [self.call("SearchFaces", CollectionId="million", FaceId=face, FaceMatchThreshold=0, MaxFaces=100) for face in ids]
        return faces + [self.call("SearchUsers", CollectionId="million", FaceId=face, UserMatchThreshold=0) for face in ids]


if __name__ == "__main__":
    main()
