"""IndexFaces over HTTP: latency, throughput, and where the time goes.

    make bench            or: python benches/index_faces.py [--binary target/release/lookalike] [--seconds 5]

Photos of three sizes, each with one face of 60 % and four of 12 % of the height on a textured background, JPEG quality 85. Each request
has a name of its own, so that nothing is a duplicate. Requests are unsigned and prepared beforehand: the clients cost next to nothing.
Stage times are those of the server's log lines. Ends with status 1 if the server, with as many workers as it
takes by itself, is not ready in a second or holds more than 150 MB when idle.
"""

import argparse
import base64
import http.client
import io
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "clients"))
os.environ.setdefault("LOOKALIKE_BIN", str(ROOT / "target" / "release" / "lookalike"))

import faces  # noqa: E402
import server  # noqa: E402

SIZES = {"640 px": (640, 480), "2 MP": (1920, 1080), "12 MP": (4000, 3000)}
STAGES = ("decode", "detect", "analyze", "embed", "store")
MOST_START_SECONDS = 1.0
MOST_IDLE_MEGABYTES = 150


def photo(width: int, height: int) -> bytes:
    """A JPEG with about the detail of a photo."""
    texture = Image.effect_noise((width // 4, height // 4), 40).resize((width, height), Image.Resampling.BICUBIC)
    picture = Image.merge("RGB", (texture, texture, texture))
    for person, (share, left) in enumerate([(0.6, 0.05), (0.12, 0.62), (0.12, 0.72), (0.12, 0.82), (0.12, 0.91)]):
        side = int(height * share)
        picture.paste(faces.face(person).resize((side, side), Image.Resampling.BICUBIC), (int(width * left), height // 5))
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=85)
    return encoded.getvalue()


def call(connection: http.client.HTTPConnection, operation: str, body: bytes) -> dict:
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"RekognitionService.{operation}"}
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    if response.status != 200:
        sys.exit(f"{operation}: {answer}")
    return answer


def load(address: str, image: str, clients: int, seconds: float, name: str) -> list[float]:
    """Milliseconds of each request that `clients` made one after another for so many seconds."""
    times: list[float] = []
    until = time.perf_counter() + seconds

    def work(client: int) -> None:
        connection = http.client.HTTPConnection(address)
        turn = 0
        while time.perf_counter() < until:
            external = f"{name}-{client}-{turn}"
            body = f'{{"CollectionId":"bench","ExternalImageId":"{external}","Image":{{"Bytes":"{image}"}}}}'.encode()
            started = time.perf_counter()
            call(connection, "IndexFaces", body)
            times.append((time.perf_counter() - started) * 1000)
            turn += 1

    threads = [threading.Thread(target=work, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def mean(lines: list[dict], member: str) -> float:
    return statistics.fmean(line[member] for line in lines) if lines else 0.0


def resident_megabytes(process: int) -> float | None:
    """What a process holds in memory, where the system tells it."""
    status = Path(f"/proc/{process}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS")), None)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        running = server.Server(Path(folder))
        ready = time.perf_counter() - started
        memory = resident_megabytes(running.process.pid)
        told = "unknown" if memory is None else f"{memory:.0f} MB"
        print(f"cold start to ready {ready * 1000:.0f} ms; idle memory {told}, {os.cpu_count()} processors")
        address = running.url.removeprefix("http://")
        call(http.client.HTTPConnection(address), "CreateCollection", b'{"CollectionId":"bench"}')
        print("photo    KB clients req/s   p50 ms   p99 ms | decode detect analyze  embed  store  other ms | in ONNX Runtime")
        verdicts = []
        for name, (width, height) in SIZES.items():
            jpeg = photo(width, height)
            image = base64.b64encode(jpeg).decode()
            load(address, image, 1, 1, f"{width}-warm")
            for clients in (1, 8):
                seen = len(running.log)
                times = sorted(load(address, image, clients, arguments.seconds, f"{width}-{clients}"))
                lines = [line for line in running.log[seen:] if line.get("message") == "request answered"]
                stages = [mean(lines, f"{stage}_ms") for stage in STAGES]
                other = statistics.fmean(times) - sum(stages)
                inference = mean(lines, "inference_ms")
                share = inference / (statistics.fmean(times) if clients == 1 else sum(stages))
                rate = len(times) / arguments.seconds
                p50, p99 = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.99))]
                row = f"{name:7}{len(jpeg) // 1024:5}{clients:8}{rate:7.1f}{p50:9.1f}{p99:9.1f} |"
                row += "".join(f"{value:7.1f}" for value in stages)
                print(f"{row}{other if clients == 1 else float('nan'):7.1f}    | {share:4.0%}", flush=True)
                if clients == 1:
                    rest = statistics.fmean(times) - inference
                    verdict = "less" if rest < inference else "more"
                    verdicts.append(f"{name}: all else {rest:.1f} ms, inference {inference:.1f} ms, {verdict}")
        print("Does everything but inference cost less than inference, for 1 client? " + "; ".join(verdicts))
        running.stop()
    if ready > MOST_START_SECONDS or (memory or 0) > MOST_IDLE_MEGABYTES:
        sys.exit(f"wanted: ready in {MOST_START_SECONDS:.0f} s, at most {MOST_IDLE_MEGABYTES} MB when idle")


if __name__ == "__main__":
    main()
