"""Recognition end to end through HTTP, of people held out from training.

    python benches/recognition.py

Needs the shared folder of images and reference models beside the repository (or LOOKALIKE_SHARED),
and stops with a message if it is missing. Prints, for the default pack and for a pack of the
reference models, the rank-1 hit rate (the most similar face is the right person), the share of
people found at Similarity 80, and false matches at 80 among all comparisons: one image of each
person indexed, another searched. Then the same for people with more images: all but the last are
indexed, 2 to 8 faces each, and associated with a user; the last is searched among one face per
person, among all faces, and among the users. There are few such people, so they include those on
whom Similarity was fitted.
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

MIRROR_FILES = {
    "mobilefacenet/detector.onnx": "yunet_n_dynamic.onnx",
    "mobilefacenet/embedder.onnx": "mobilefacenet.onnx",
}


TEST, HELD_OUT = 10, 20
"""Percent of the people outside the training split: the test split alone, and with the split on
which Similarity was fitted."""


def held_out(percent: int) -> dict[str, list[bytes]]:
    """Up to nine images of each person of a split (training/recipe/common/data.py)."""
    with (SHARED / "data" / "celeba-9k.csv").open(newline="") as table:
        identities = {row["file"]: row["identity"] for row in csv.DictReader(table)}

    def is_chosen(identity: str) -> bool:
        return (
            int.from_bytes(hashlib.sha256(f"identity {identity}".encode()).digest()[:4], "big")
            % 100
            < percent
        )

    images = defaultdict(list)
    with tarfile.open(SHARED / "data" / "celeba-9k.tar") as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            identity = identities.get(Path(member.name).name)
            if identity and is_chosen(identity) and len(images[identity]) < 9:
                images[identity].append(archive.extractfile(member).read())
    return dict(sorted(images.items()))


def reference_pack(folder: Path) -> None:
    """Pulls the catalog's pack `mobilefacenet` from a local mirror of the shared models."""
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
        command = [
            server.BINARY,
            "models",
            "pull",
            "mobilefacenet",
            "--models",
            folder / "models",
            "--from",
            address,
        ]
        run(command, check=True, capture_output=True)
        web.shutdown()


class Collections:
    """A server with a pack, asked about collections of people."""

    def __init__(self, folder: Path, pack: Path) -> None:
        self.server = server.Server(folder, "--pack", str(pack))
        self.connection = http.client.HTTPConnection(self.server.url.removeprefix("http://"))

    def ask(self, operation: str, collection: str, **members) -> dict:
        return call(
            self.connection, operation, json.dumps({"CollectionId": collection} | members).encode()
        )

    def index(self, collection: str, person: str, jpeg: bytes) -> list[str]:
        """The id of the largest face, if there is one."""
        options = {"ExternalImageId": person, "MaxFaces": 1, "QualityFilter": "NONE"}
        records = self.ask("IndexFaces", collection, Image=image(jpeg), **options)["FaceRecords"]
        return [record["Face"]["FaceId"] for record in records]

    def shows_a_face(self, jpeg: bytes) -> bool:
        return bool(self.ask("DetectFaces", "", Image=image(jpeg))["FaceDetails"])

    def faces_like(self, collection: str, jpeg: bytes) -> list[tuple[float, str]]:
        """Similarity and person of every face, the most alike first."""
        answer = self.ask("SearchFacesByImage", collection, Image=image(jpeg), FaceMatchThreshold=0)
        return [
            (match["Similarity"], match["Face"]["ExternalImageId"])
            for match in answer["FaceMatches"]
        ]

    def users_like(self, collection: str, jpeg: bytes) -> list[tuple[float, str]]:
        """Similarity and person of up to 500 users, the most alike first."""
        answer = self.ask(
            "SearchUsersByImage", collection, Image=image(jpeg), UserMatchThreshold=0, MaxUsers=500
        )
        return [(match["Similarity"], match["User"]["UserId"]) for match in answer["UserMatches"]]


def image(jpeg: bytes) -> dict:
    return {"Bytes": base64.b64encode(jpeg).decode()}


class Score:
    """Hits and errors of some searches."""

    def __init__(self) -> None:
        self.searches = self.first = self.found = self.false = self.comparisons = 0

    def add(self, person: str, matches: list[tuple[float, str]]) -> None:
        self.searches += 1
        self.first += bool(matches) and matches[0][1] == person
        self.found += any(name == person and similarity >= 80 for similarity, name in matches)
        self.false += sum(name != person and similarity >= 80 for similarity, name in matches)
        self.comparisons += sum(name != person for _, name in matches)

    def __str__(self) -> str:
        return (
            f"rank-1 {self.first / self.searches:.1%},"
            f" found at 80 {self.found / self.searches:.1%},"
            f" false matches at 80: {self.false} of {self.comparisons}"
            f" ({self.false / self.comparisons:.2e})"
        )


def measure_pairs(lookalike: Collections, people: dict[str, list[bytes]]) -> None:
    """One image of each person indexed, another searched."""
    lookalike.ask("CreateCollection", "people")
    indexed = {
        person for person, images in people.items() if lookalike.index("people", person, images[0])
    }
    score = Score()
    for person, images in people.items():
        if person in indexed and lookalike.shows_a_face(images[1]):
            score.add(person, lookalike.faces_like("people", images[1]))
    print(
        f"  {score.searches} people (no face found for {len(people) - score.searches}): {score}",
        flush=True,
    )


def measure_users(lookalike: Collections, people: dict[str, list[bytes]]) -> None:
    """All but the last image of each person indexed for a user; the last searched in three ways."""
    for collection in ("ones", "all"):
        lookalike.ask("CreateCollection", collection)
    faces = 0
    for person, images in people.items():
        lookalike.index("ones", person, images[0])
        ids = [face for jpeg in images[:-1] for face in lookalike.index("all", person, jpeg)]
        lookalike.ask("CreateUser", "all", UserId=person)
        if ids:
            lookalike.ask("AssociateFaces", "all", UserId=person, FaceIds=ids, UserMatchThreshold=0)
        faces += len(ids)
    one, every, users = Score(), Score(), Score()
    for person, images in people.items():
        if lookalike.shows_a_face(images[-1]):
            one.add(person, lookalike.faces_like("ones", images[-1]))
            every.add(person, lookalike.faces_like("all", images[-1]))
            users.add(person, lookalike.users_like("all", images[-1]))
    print(f"  {users.searches} people with {faces} faces, the last image searched")
    print(
        f"    one face per person: {one}\n"
        f"    all faces:           {every}\n"
        f"    users:               {users}",
        flush=True,
    )


def measure(title: str, pack: Path) -> None:
    print(title)
    with tempfile.TemporaryDirectory() as folder:
        lookalike = Collections(Path(folder), pack)
        measure_pairs(
            lookalike,
            {person: images for person, images in held_out(TEST).items() if len(images) > 1},
        )
        measure_users(
            lookalike,
            {person: images for person, images in held_out(HELD_OUT).items() if len(images) > 2},
        )
        lookalike.server.stop()


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    if not (SHARED / "data" / "celeba-9k.csv").is_file():
        print(
            f"recognition: not measured, no images in {SHARED};"
            " set LOOKALIKE_SHARED to a folder with data/ and models/"
        )
        return
    print("recognition of people of CelebA that no network was trained on")
    measure("default pack", ROOT / "models" / "default")
    with tempfile.TemporaryDirectory() as folder:
        reference_pack(Path(folder))
        measure("reference pack", Path(folder) / "models" / "mobilefacenet")


if __name__ == "__main__":
    main()
