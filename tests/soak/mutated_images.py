"""Mutated images against a running server: each answer is a success or a refusal, never a failure.

    python tests/soak/mutated_images.py [--binary BINARY] [--images 50000] [--seed 1]

The originals are all sound and broken files of `tests/cases`, `examples/faces` and
`crates/vision/tests/encodings/files`. Bytes are changed (half of them where headers are), cut off,
doubled, and joined to those of another file. The same seed makes the same images. Ends with status
1 at a status of 500 or above other than ThrottlingException, and at a line of level ERROR in the
log; the image is then left in the working directory.
"""

import argparse
import base64
import collections
import http.client
import json
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "clients"))
FOLDERS = ("tests/cases", "examples/faces", "crates/vision/tests/encodings/files")
CLIENTS = 8
# Most of a header lies in so many bytes.
HEAD = 700
OPERATIONS = ("DetectFaces", "IndexFaces", "SearchFacesByImage", "CompareFaces")


def originals() -> list[bytes]:
    files = (file for folder in FOLDERS for file in sorted((ROOT / folder).iterdir()))
    return [file.read_bytes() for file in files if file.suffix in {".jpg", ".png"}]


def mutated(chance: random.Random, files: list[bytes]) -> bytes:
    image = bytearray(chance.choice(files))
    for _ in range(chance.randrange(12)):
        end = min(HEAD, len(image)) if chance.random() < 0.5 else len(image)
        value = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        image[chance.randrange(end)] = value
    match chance.randrange(8):
        case 0:
            del image[chance.randrange(1, len(image)) :]
        case 1:
            image += image[chance.randrange(len(image)) :]
        case 2:
            other = chance.choice(files)
            image[chance.randrange(len(image)) :] = other[chance.randrange(len(other)) :]
        case 3:
            start = chance.randrange(len(image))
            del image[start : start + chance.randrange(1, 64)]
    return bytes(image) or b"\0"


def request(number: int, image: bytes, sound: str) -> tuple[str, dict]:
    bytes_ = {"Bytes": base64.b64encode(image).decode()}
    operation = OPERATIONS[number % len(OPERATIONS)]
    if operation == "CompareFaces":
        return operation, {"SourceImage": bytes_, "TargetImage": {"Bytes": sound}}
    collection = {} if operation == "DetectFaces" else {"CollectionId": "soak"}
    return operation, collection | {"Image": bytes_}


class Soak:
    def __init__(self, address: tuple[str, int], images: int, seed: int):
        self.address, self.images, self.seed = address, images, seed
        self.files = originals()
        sound = (ROOT / "examples/faces/ana-1.jpg").read_bytes()
        self.sound = base64.b64encode(sound).decode()
        self.answers: collections.Counter[str] = collections.Counter()
        self.failures: list[str] = []
        self.lock = threading.Lock()

    def client(self, first: int) -> None:
        connection = http.client.HTTPConnection(*self.address, timeout=120)
        for number in range(first, self.images, CLIENTS):
            image = mutated(random.Random(self.seed << 32 | number), self.files)
            answer = self.send(connection, *request(number, image, self.sound))
            with self.lock:
                self.answers[answer] += 1
                if answer.startswith("failure"):
                    self.failures.append(f"image {number} of seed {self.seed}: {answer}")
                    Path(f"failed-{self.seed}-{number}.bin").write_bytes(image)

    def send(self, connection: http.client.HTTPConnection, operation: str, input_: dict) -> str:
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"RekognitionService.{operation}",
        }
        try:
            connection.request("POST", "/", json.dumps(input_), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            return f"failure: {operation}: {error!r}"
        if response.status == 200:
            return "ok"
        if response.status >= 500 and answer["__type"] != "ThrottlingException":
            return f"failure: {operation}: {response.status} {answer}"
        return answer["__type"]

    def run(self) -> None:
        threads = [threading.Thread(target=self.client, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=str(ROOT / "target" / "release" / "lookalike"))
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ["LOOKALIKE_BIN"] = options.binary
    import server

    with tempfile.TemporaryDirectory() as folder:
        running = server.Server(Path(folder), "--queue", "64")
        host, port = running.url.removeprefix("http://").split(":")
        soak = Soak((host, int(port)), options.images, options.seed)
        connection = http.client.HTTPConnection(*soak.address)
        created = soak.send(connection, "CreateCollection", {"CollectionId": "soak"})
        assert created == "ok", created
        started = time.monotonic()
        soak.run()
        seconds = time.monotonic() - started
        running.stop()
    print(f"{options.images} images of seed {options.seed} in {seconds:.0f} s")
    for answer, count in soak.answers.most_common():
        print(f"{count:>7}  {answer}")
    print("\n".join(soak.failures[:20]))
    sys.exit(bool(soak.failures))


if __name__ == "__main__":
    main()
