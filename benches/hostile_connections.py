"""Callers among hostile connections: what they wait, and how many are locked out.

    python benches/hostile_connections.py [--binary target/release/lookalike] [--limit 1024]

Each attack runs against a server of its own that may hold 1024 files open. Meanwhile one caller
makes requests, each on a new connection: `ListCollections`, and one of 100 KB where the attack is on
bodies. Ends with status 1 if a request fails or takes longer than a second.
"""

import argparse
import contextlib
import http.client
import json
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_SECONDS = 1.0
HEADERS = {
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": "RekognitionService.ListCollections",
}
HEAD = "POST / HTTP/1.1\r\nHost: localhost\r\n" + "".join(f"{k}: {v}\r\n" for k, v in HEADERS.items())
LARGE = f"{HEAD.replace('ListCollections', 'DetectFaces')}Content-Length: 20000000\r\n\r\n"


def idle(connection: socket.socket) -> None:
    """Sends nothing."""


def half_head(connection: socket.socket) -> None:
    connection.sendall(HEAD.encode())


def dripping_head(connection: socket.socket) -> None:
    connection.sendall(HEAD.encode())
    for number in range(10_000):
        connection.sendall(f"X-{number}: x\r\n".encode())
        time.sleep(1)


def dripping_body(connection: socket.socket) -> None:
    connection.sendall(LARGE.encode())
    while True:
        connection.sendall(b" " * 36)
        time.sleep(1)


def stalled_body(connection: socket.socket) -> None:
    connection.sendall(LARGE.encode() + b" " * 100_000)


# Name, what each connection does, how many there are, bytes of the caller's bodies.
ATTACKS = [
    ("idle connections", idle, 1100, 2),
    ("half a head", half_head, 1100, 2),
    ("dripping heads", dripping_head, 300, 2),
    ("dripping bodies", dripping_body, 60, 100_000),
    ("stalled bodies", stalled_body, 60, 100_000),
]


def attack(address: tuple[str, int], behave, count: int) -> list[socket.socket]:
    """Opens the connections, each with a thread of its own where it goes on sending."""
    connections = []

    def one(connection):
        with contextlib.suppress(OSError):
            behave(connection)

    for _ in range(count):
        connection = socket.socket()
        connection.settimeout(5)
        with contextlib.suppress(OSError):
            connection.connect(address)
        connections.append(connection)
        threading.Thread(target=one, args=(connection,), daemon=True).start()
    return connections


def call(address: tuple[str, int], size: int) -> tuple[float, bool]:
    """One request on a connection of its own: its seconds, and whether it was answered."""
    body = b"{}" + b" " * (size - 2)
    start = time.perf_counter()
    try:
        connection = http.client.HTTPConnection(*address, timeout=5)
        connection.request("POST", "/", body, HEADERS)
        is_answered = connection.getresponse().status == 200
        connection.close()
    except OSError:
        is_answered = False
    return time.perf_counter() - start, is_answered


def start(binary: Path, folder: str, limit: int) -> tuple[subprocess.Popen, tuple[str, int]]:
    def limit_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    command = [binary, "--listen", "127.0.0.1:0", "--data", folder, "--log-format", "json"]
    server = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=limit_files
    )
    for line in server.stderr:
        if not line.startswith("{"):
            sys.exit(line)
        event = json.loads(line)
        if event.get("message") == "ready":
            host, port = event["address"].rsplit(":", 1)
            threading.Thread(target=lambda: list(server.stderr), daemon=True).start()
            return server, (host, int(port))
    sys.exit("the server did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "lookalike")
    parser.add_argument("--limit", type=int, default=1024, help="files that the server may open")
    parser.add_argument("--requests", type=int, default=40, help="of the caller, in each attack")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    print(f"{'attack':<18}{'connections':>12}{'answered':>10}{'p50 ms':>9}{'worst ms':>10}")
    missed = False
    for name, behave, count, size in ATTACKS:
        with tempfile.TemporaryDirectory() as folder:
            server, address = start(options.binary.resolve(), folder, options.limit)
            connections = attack(address, behave, count)
            time.sleep(1)
            calls = [call(address, size) for _ in range(options.requests)]
            answered = sum(is_answered for _, is_answered in calls)
            seconds = [seconds for seconds, _ in calls]
            p50, worst = statistics.median(seconds), max(seconds)
            print(
                f"{name:<18}{count:>12}{f'{answered}/{options.requests}':>10}"
                f"{p50 * 1000:>9.1f}{worst * 1000:>10.1f}",
                flush=True,
            )
            missed |= answered < options.requests or worst > MOST_SECONDS
            for connection in connections:
                connection.close()
            server.kill()
            server.wait()
    sys.exit(missed)


if __name__ == "__main__":
    main()
