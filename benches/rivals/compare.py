"""IndexFaces, SearchFacesByImage and DetectFaces beside what else a user would run, in one run and with the same photos.

    make bench-rivals            or: python benches/rivals/compare.py --models FOLDER [--other NAME=URL ...] [--seconds 3] [--json FILE]; charts.py draws what FILE has

The script of an afternoon (afternoon.py) runs in this process, one photo after another; FOLDER holds its networks, yunet_n_dynamic.onnx and
mobilefacenet.onnx. Each URL is another server that speaks the same API: the release before, say, or an emulator. Photos have one face of
60 % of the height. Searches go through 50,000 faces. All take turns, several times; the table has the medians of the turns.
"""

import argparse
import base64
import hashlib
import http.client
import io
import json
import os
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests" / "clients"), str(Path(__file__).parent)]
os.environ.setdefault("LOOKALIKE_BIN", str(ROOT / "target" / "release" / "lookalike"))

import faces  # noqa: E402
import server  # noqa: E402
from afternoon import Afternoon  # noqa: E402
from PIL import Image  # noqa: E402

SIZES = {"640 px": (640, 480), "2 MP": (1920, 1080), "12 MP": (4000, 3000)}
OPERATIONS = ("IndexFaces", "SearchFacesByImage", "DetectFaces")
GALLERY, DIMENSIONS, TURNS = 50_000, 128, 5
CLIENTS = (1, 2, 4, 8, 16)
ACCOUNT = "000000000000"


def photo(width: int, height: int) -> bytes:
    """A JPEG with about the detail of a photo, and one face."""
    texture = Image.effect_noise((width // 4, height // 4), 40).resize((width, height), Image.Resampling.BICUBIC)
    picture = Image.merge("RGB", (texture, texture, texture))
    side = int(height * 0.6)
    picture.paste(faces.face(1).resize((side, side), Image.Resampling.BICUBIC), (width // 4, height // 5))
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=85)
    return encoded.getvalue()


def strangers() -> np.ndarray:
    """Unit vectors [GALLERY, DIMENSIONS] of nobody."""
    vectors = np.random.default_rng(1).standard_normal((GALLERY, DIMENSIONS), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def call(connection: http.client.HTTPConnection, operation: str, body: bytes) -> dict:
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"RekognitionService.{operation}",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/us-east-1/rekognition/aws4_request, SignedHeaders=host, Signature=00",
    }
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    if response.status != 200:
        sys.exit(f"{operation}: {answer}")
    return answer


def fill(url: str, collection: str, pack: dict, vectors: np.ndarray) -> None:
    """Imports a collection of faces with these vectors."""
    described = {
        "account": ACCOUNT, "region": "us-east-1", "name": collection, "face_model_version": "7.0", "pack": pack,
        "created_at": 0, "tags": {}, "users": 0, "faces": len(vectors),
    }
    lines = [{"lookalike_export": {"version": 1, "server": "bench"}}, {"collection": described}]
    for row, vector in enumerate(vectors):
        digest = hashlib.sha256(str(row).encode()).hexdigest()
        face = {
            "face_id": str(uuid.UUID(digest[:32])), "image_id": str(uuid.UUID(digest[32:])), "image_sha256": digest, "ordinal": 0,
            "box": [0.25, 0.25, 0.5, 0.5], "confidence": 99.0, "face_model_version": "7.0",
            "vector": base64.b64encode(vector.astype("<f4").tobytes()).decode(),
        }
        lines.append({"face": face})
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    end = {"collections": 1, "users": 0, "faces": len(vectors), "sha256": hashlib.sha256(text).hexdigest()}
    body = text + json.dumps({"end": end}).encode() + b"\n"
    urllib.request.urlopen(urllib.request.Request(f"{url}/_lookalike/import", body, method="POST"), timeout=120).read()


Request = Callable[[int], object]
"""Makes one request; the number is different each time."""


@dataclass
class Contender:
    """Someone who is measured."""

    name: str
    clients: tuple[int, ...]
    requests: Callable[[str, bytes], Callable[[], Request] | None]
    """What a client makes requests of an operation with, for one photo; none if it has no such operation."""


def speaker(name: str, url: str) -> Contender:
    """A server at a URL, with the collections `search` and `index`."""

    def requests(operation: str, jpeg: bytes) -> Callable[[], Request]:
        members = {"Image": {"Bytes": base64.b64encode(jpeg).decode()}}
        if operation != "DetectFaces":
            members["CollectionId"] = "search" if operation == "SearchFacesByImage" else "index"
        # Prepared, so that the client costs next to nothing.
        body = json.dumps(members).encode()

        def client() -> Request:
            connection = http.client.HTTPConnection(urlsplit(url).netloc)
            if operation != "IndexFaces":
                return lambda turn: call(connection, operation, body)
            return lambda turn: call(connection, operation, b'{"ExternalImageId":"%s",' % uuid.uuid4().hex.encode() + body[1:])

        return client

    return Contender(name, CLIENTS, requests)


def script(models: Path, vectors: np.ndarray) -> Contender:
    """The script of an afternoon."""
    afternoon = Afternoon(models, vectors)
    work = {"IndexFaces": afternoon.index, "SearchFacesByImage": afternoon.search}

    def requests(operation: str, jpeg: bytes) -> Callable[[], Request] | None:
        return work.get(operation) and (lambda: lambda turn: work[operation](jpeg))

    return Contender("script", (1,), requests)


def measure(client: Callable[[], Request], clients: int, seconds: float) -> tuple[float, float]:
    """Requests a second, and the median milliseconds of one."""
    times: list[float] = []
    began = threading.Barrier(clients + 1)

    def work() -> None:
        request, turn = client(), 0
        request(turn)
        began.wait()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            turn += 1
            started = time.perf_counter()
            request(turn)
            times.append(time.perf_counter() - started)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    began.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return len(times) / (time.perf_counter() - started), statistics.median(times or [0.0]) * 1000


def compare(contenders: list[Contender], seconds: float) -> list[dict]:
    """The table: a row for each operation, photo, number of clients and contender."""
    rows = []
    for operation in OPERATIONS:
        for photo_name, size in SIZES.items():
            jpeg = photo(*size)
            for clients in CLIENTS:
                able = {c.name: c.requests(operation, jpeg) for c in contenders if clients in c.clients}
                turns: dict[str, list[tuple[float, float]]] = {name: [] for name, client in able.items() if client}
                for _ in range(TURNS):
                    for name, measured in turns.items():
                        measured.append(measure(able[name], clients, seconds / TURNS))
                for name, measured in turns.items():
                    rate, p50 = (statistics.median(values) for values in zip(*measured))
                    row = {"operation": operation, "photo": photo_name, "clients": clients, "who": name, "rate": rate, "p50": p50}
                    rows.append(row)
                    ours = next(r["rate"] for r in rows if r | {"who": "", "rate": 0, "p50": 0} == row | {"who": "", "rate": 0, "p50": 0})
                    print(
                        f"{operation:<20}{photo_name:>7}{clients:>3} {name:<12}{rate:>8.1f}/s  p50 {p50:>7.1f} ms  ours over it {ours / rate:>6.2f}",
                        flush=True,
                    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--other", action="append", default=[], metavar="NAME=URL")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    vectors = strangers()
    with tempfile.TemporaryDirectory() as folder:
        running = server.Server(Path(folder))
        connection = http.client.HTTPConnection(urlsplit(running.url).netloc)
        call(connection, "CreateCollection", b'{"CollectionId": "index"}')
        with urllib.request.urlopen(f"{running.url}/_lookalike/export") as exported:
            pack = next(json.loads(line)["collection"]["pack"] for line in exported if b'{"collection"' in line)
        fill(running.url, "search", pack, vectors)
        contenders = [speaker("lookalike", running.url)]
        if options.models:
            contenders.append(script(options.models, vectors))
        contenders += [speaker(*other.split("=", 1)) for other in options.other]
        rows = compare(contenders, options.seconds)
        running.stop()
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
