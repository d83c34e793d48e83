"""A server within a memory limit, and eight clients with the worst images that the API allows.

    python benches/memory_limits.py [--binary BINARY] [--limits 256,512,1024] [--seconds 30]

Each limit is that of a control group of its own, made below the one of this process (version 1 or
2), which takes root; beyond it the kernel kills the server. Ends with status 1 where that happens,
where an answer is a failure other than ThrottlingException, or where an honest photo is not
answered afterwards.
"""

import argparse
import base64
import collections
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import hostile_images
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "clients"))
import faces as people  # noqa: E402

CGROUPS = Path("/sys/fs/cgroup")
CLIENTS = 8
MEBIBYTE = 1 << 20
# An object of S3 may be larger than an image in a request.
BUCKET, OBJECT = "bucket", "noise.png"


class Group:
    """A control group with a limit of memory and no swap."""

    def __init__(self, mebibytes: int):
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = dict(line.split(":", 2)[1:] for line in lines)
        self.is_v1 = "memory" in own
        above = CGROUPS / "memory" / own["memory"][1:] if self.is_v1 else CGROUPS / own[""][1:]
        self.folder = above / f"lookalike-{os.getpid()}-{mebibytes}"
        self.folder.mkdir()
        limit = "memory.limit_in_bytes" if self.is_v1 else "memory.max"
        (self.folder / limit).write_text(str(mebibytes * MEBIBYTE))

    def enter(self) -> None:
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def kills(self) -> int:
        name = "memory.oom_control" if self.is_v1 else "memory.events"
        lines = dict(line.split() for line in (self.folder / name).read_text().splitlines())
        return int(lines["oom_kill"])

    def remove(self) -> None:
        self.folder.rmdir()


def worst_images() -> dict[str, bytes]:
    """The first is an honest photo, which has to be answered within any limit."""
    large = hostile_images.noise((hostile_images.LARGEST,) * 2, 60)
    photo = hostile_images.honest(people, hostile_images.MEGAPIXELS_12)
    side = hostile_images.LARGEST
    return {
        "photo of 12 MP": hostile_images.jpeg(photo, quality=80),
        "JPEG 100 MP": hostile_images.jpeg(large, quality=40),
        "JPEG 12 MP, progressive": hostile_images.jpeg(photo, quality=80, progressive=True),
        "JPEG 12 MP, CMYK": hostile_images.jpeg(photo.convert("CMYK"), quality=80),
        "PNG 100 MP, 1 bit": hostile_images.png(side, 1, 0, bytes(side // 8)),
        "PNG 100 MP, RGB": hostile_images.png(side, 8, 2, bytes(3 * side)),
        "PNG 16 MP, interlaced": hostile_images.png(4000, 8, 2, bytes(3 * 4000), interlace=1),
    }


def requests(images: dict[str, bytes]) -> list[tuple[str, str, bytes]]:
    """Name, operation and body of each."""
    encoded = {name: base64.b64encode(image).decode() for name, image in images.items()}
    detections = [
        (name, "DetectFaces", {"Image": {"Bytes": image}}) for name, image in encoded.items()
    ]
    pair = encoded["photo of 12 MP"]
    both = {"SourceImage": {"Bytes": pair}, "TargetImage": {"Bytes": pair}}
    fetched = {"Image": {"S3Object": {"Bucket": BUCKET, "Name": OBJECT}}}
    others = [
        ("two photos of 12 MP", "CompareFaces", both),
        ("S3 object of 15 MB", "DetectFaces", fetched),
    ]
    return [(name, call, json.dumps(input_).encode()) for name, call, input_ in detections + others]


def incompressible(folder: Path) -> None:
    """The largest PNG that S3 may hold: noise, 15 MB."""
    image = Image.frombytes("RGB", (2280, 2280), os.urandom(3 * 2280 * 2280))
    (folder / BUCKET).mkdir(parents=True)
    image.save(folder / BUCKET / OBJECT, compress_level=0)
    assert (folder / BUCKET / OBJECT).stat().st_size <= 15_728_640


class Clients:
    """Send everything again and again, each beginning somewhere else."""

    def __init__(self, address: tuple[str, int], requests_: list[tuple[str, str, bytes]]):
        self.address, self.requests = address, requests_
        self.answers: collections.Counter[tuple[str, str]] = collections.Counter()
        self.lock = threading.Lock()

    def one(self, first: int, until: float) -> None:
        connection = http.client.HTTPConnection(*self.address, timeout=90)
        number = first
        while time.monotonic() < until:
            name, operation, body = self.requests[number % len(self.requests)]
            number += 1
            try:
                answer = post(connection, operation, body)
            except (OSError, http.client.HTTPException) as error:
                answer = type(error).__name__
                connection.close()
            with self.lock:
                self.answers[name, answer] += 1

    def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=self.one, args=(n, until)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def post(connection: http.client.HTTPConnection, operation: str, body: bytes) -> str:
    """What became of one request: `ok` or the error's name."""
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"RekognitionService.{operation}",
    }
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    return "ok" if response.status == 200 else answer["__type"]


def start(binary: Path, folder: Path, objects: Path, group: Group):
    command = [binary, "--listen", "127.0.0.1:0", "--data", folder, "--s3", objects]
    process = subprocess.Popen(
        [*command, "--log-format", "json"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=group.enter,
    )
    plan = {}
    for line in process.stderr:
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("message") == "memory for requests":
            plan = event
        if event.get("message") == "ready":
            host, port = event["address"].rsplit(":", 1)
            threading.Thread(target=lambda: list(process.stderr), daemon=True).start()
            return process, (host, int(port)), plan
    sys.exit("the server did not start")


def peak(process: subprocess.Popen) -> int:
    """The most that the process held, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 // MEBIBYTE


ALLOWED = {"ok", "ThrottlingException", "ImageTooLargeException", "InvalidImageFormatException"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "lookalike")
    parser.add_argument("--limits", default="256,512,1024", help="in MB")
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    calls = requests(worst_images())
    honest = calls[0]
    missed = False
    for limit in map(int, options.limits.split(",")):
        group = Group(limit)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            incompressible(folder / "objects")
            process, address, plan = start(
                options.binary.resolve(), folder / "data", folder / "objects", group
            )
            clients = Clients(address, calls)
            clients.run(options.seconds)
            survived = process.poll() is None and group.kills() == 0
            print(f"\n{limit} MB: {'held' if survived else 'KILLED'}")
            shown = ("resident_mb", "search_mb", "bodies_and_objects_mb", "pixels_mb")
            print("  plan: " + ", ".join(f"{key} {plan.get(key)}" for key in shown))
            if survived:
                print(f"  the most that the process held: {peak(process)} MB", flush=True)
            for (image, answer), count in sorted(clients.answers.items()):
                print(f"  {image:<26}{answer:<30}{count:>6}")
                missed |= answer not in ALLOWED
            if survived:
                again = post(http.client.HTTPConnection(*address, timeout=90), *honest[1:])
                print(f"  afterwards: {again}")
                missed |= again != "ok"
                process.send_signal(signal.SIGTERM)
            missed |= not survived
            process.wait()
        group.remove()
    sys.exit(missed)


if __name__ == "__main__":
    main()
