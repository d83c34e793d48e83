"""Recognition end to end through HTTP: people that were held out from training, one image indexed, another searched.

    python benches/recognition.py [--people 400]

Needs the shared folder of images and reference models beside the repository (or LOOKALIKE_SHARED); says so and stops if it is missing.
People are those of the recipe's test split (models/training/data.py). Prints, for the default pack and for a pack of the reference
models, the rank-1 hit rate (the most alike face is the right person), the share of people found at Similarity 80, and false matches at
80 among all comparisons.
"""

import argparse
import base64
import csv
import hashlib
import http.client
import json
import os
import sys
import tarfile
import tempfile
import threading
from collections import defaultdict
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import run

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("LOOKALIKE_SHARED", ROOT.parent / "shared"))
sys.path.insert(0, str(ROOT / "tests" / "clients"))
os.environ.setdefault("LOOKALIKE_BIN", str(ROOT / "target" / "release" / "lookalike"))

import server  # noqa: E402
from index_faces import call  # noqa: E402

MIRROR_FILES = {"mobilefacenet/detector.onnx": "yunet_n_dynamic.onnx", "mobilefacenet/embedder.onnx": "mobilefacenet.onnx"}


def held_out(people: int) -> dict[str, list[bytes]]:
    """Two images of each person of the test split."""
    with (SHARED / "data" / "celeba-9k.csv").open(newline="") as table:
        identities = {row["file"]: row["identity"] for row in csv.DictReader(table)}

    def is_test(identity: str) -> bool:
        return int.from_bytes(hashlib.sha256(f"identity {identity}".encode()).digest()[:4], "big") % 100 < 10

    images = defaultdict(list)
    with tarfile.open(SHARED / "data" / "celeba-9k.tar") as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            identity = identities.get(Path(member.name).name)
            if identity and is_test(identity) and len(images[identity]) < 2:
                images[identity].append(archive.extractfile(member).read())
    pairs = {identity: pair for identity, pair in images.items() if len(pair) == 2}
    return dict(sorted(pairs.items())[:people])


def reference_pack(folder: Path) -> None:
    """Pulls the pack `mobilefacenet` of the catalogue from a mirror of the shared models on this machine."""
    mirror = folder / "mirror"
    for name, source in MIRROR_FILES.items():
        (mirror / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror / name).symlink_to(SHARED / "models" / source)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=mirror)) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{web.server_address[1]}"
        command = [server.BINARY, "models", "pull", "mobilefacenet", "--models", folder / "models", "--from", address]
        run(command, check=True, capture_output=True)
        web.shutdown()


def measure(pack: Path, pairs: dict[str, list[bytes]]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        running = server.Server(Path(folder), "--pack", str(pack))
        connection = http.client.HTTPConnection(running.url.removeprefix("http://"))

        def ask(operation: str, **members) -> dict:
            return call(connection, operation, json.dumps({"CollectionId": "people"} | members).encode())

        def image(jpeg: bytes) -> dict:
            return {"Bytes": base64.b64encode(jpeg).decode()}

        ask("CreateCollection")
        indexed = set()
        for identity, (first, _) in pairs.items():
            answer = ask("IndexFaces", Image=image(first), ExternalImageId=identity, MaxFaces=1, QualityFilter="NONE")
            indexed |= {identity} if answer["FaceRecords"] else set()
        searched = hits = found = false = comparisons = 0
        for identity, (_, second) in pairs.items():
            if identity not in indexed or not ask("DetectFaces", Image=image(second))["FaceDetails"]:
                continue
            searched += 1
            answer = ask("SearchFacesByImage", Image=image(second), FaceMatchThreshold=0)
            matches = [(match["Similarity"], match["Face"]["ExternalImageId"]) for match in answer["FaceMatches"]]
            hits += bool(matches) and matches[0][1] == identity
            found += any(name == identity and similarity >= 80 for similarity, name in matches)
            false += sum(name != identity and similarity >= 80 for similarity, name in matches)
            comparisons += len(matches) - 1
        running.stop()
    missed = len(pairs) - searched
    return (
        f"{searched} people (no face found for {missed}): rank-1 {hits / searched:.1%}, found at 80 {found / searched:.1%}, "
        f"false matches at 80: {false} of {comparisons} ({false / comparisons:.2e})"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=400)
    arguments = parser.parse_args()
    if not (SHARED / "data" / "celeba-9k.csv").is_file():
        sys.exit(f"recognition.py: no images in {SHARED}; set LOOKALIKE_SHARED to a folder with data/ and models/")
    pairs = held_out(arguments.people)
    print(f"{len(pairs)} held-out people of CelebA, one image indexed, another searched")
    print("default pack:  ", measure(ROOT / "models" / "default", pairs), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        reference_pack(Path(folder))
        print("reference pack:", measure(Path(folder) / "models" / "mobilefacenet", pairs), flush=True)


if __name__ == "__main__":
    main()
