"""A server for as long as a test needs one."""

import collections
import json
import subprocess
import threading

from ._files import binary, environment

STOP_SECONDS = 20
KEPT_LINES = 200


class StartError(Exception):
    """The server ended before it was ready; the text is its log."""


class Server:
    """A server on a free port of this machine that keeps nothing, unless `options` say otherwise.

    The options are those of the command: `Server("--s3", "./buckets")`.
    """

    def __init__(self, *options: str):
        self._options = ["--data", ":memory:", *options]
        self._process: subprocess.Popen | None = None
        self.url = ""
        # What the server logs, the newest last.
        self.log: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)

    def start(self) -> "Server":
        """Returns when the server answers."""
        fixed = ["--listen", "127.0.0.1:0", "--log-format", "json"]
        self._process = subprocess.Popen(
            [binary(), *_last_wins(self._options), *fixed],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in self._process.stderr:
            self.log.append(line)
            if (address := _address(line)) is not None:
                self.url = f"http://{address}"
                # A full pipe would stop the server.
                threading.Thread(target=self._read, daemon=True).start()
                return self
        self._process.wait()
        raise StartError(f"{binary()} did not start:\n{''.join(self.log)}")

    def stop(self) -> None:
        """Lets requests under way finish, then ends the process."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def client_options(self, account: str = "123456789012", region: str = "us-east-1") -> dict:
        """Arguments for `boto3.client("rekognition", ...)`: the key is the account."""
        return {
            "endpoint_url": self.url,
            "region_name": region,
            "aws_access_key_id": account,
            "aws_secret_access_key": "any",
        }

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self) -> None:
        self.log.extend(self._process.stderr)


def _address(line: str) -> str | None:
    """The address in the line of the log that announces it."""
    if not line.startswith("{"):
        return None
    entry = json.loads(line)
    return entry["address"] if entry.get("message") == "ready" else None


def _last_wins(options: list[str]) -> list[str]:
    """Without the default for `--data` where the caller names a folder."""
    return (
        options[2:] if any(option.split("=")[0] == "--data" for option in options[2:]) else options
    )
