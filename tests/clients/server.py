"""Starts the real binary and stops it again."""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("LOOKALIKE_BIN", ROOT / "target" / "debug" / "lookalike"))
# Of the caller's settings only those that say which networks to run reach the server.
KEPT = ("LOOKALIKE_MODELS", "LOOKALIKE_PACK")
DROPPED = ("LOOKALIKE_", "AWS_", "ORT_DISABLE_")
START_SECONDS = 60
STOP_SECONDS = 20


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without what would change how servers and SDKs behave."""
    plain = {name: value for name, value in os.environ.items() if name in KEPT or not name.startswith(DROPPED)}
    return plain | extra


class Server:
    """A server on a free port of 127.0.0.1, with its data in `folder`."""

    def __init__(self, folder: Path, *options: str):
        self.log: list[dict] = []
        self._changed = threading.Condition()
        command = [BINARY, "--listen", "127.0.0.1:0", "--data", folder, "--log-format", "json", *options]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read_log, daemon=True).start()
        try:
            self.url = f"http://{self.line('ready')['address']}"
        except AssertionError:
            self.process.kill()
            raise

    def line(self, message: str, seconds: float = START_SECONDS) -> dict:
        """The log line with this message, as soon as it is there."""

        def found():
            return next((line for line in self.log if line.get("message") == message), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self.process.poll() is not None, seconds)
            assert found(), f"the server did not say {message!r}: {self.log[-5:]}"
            return found()

    def stop(self) -> None:
        """Asks the server to stop, as a container engine does, and expects it to do so cleanly."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        assert code == 0, f"the server ended with {code}: {self.log[-5:]}"
        failures = [line for line in self.log if line.get("level") == "ERROR"]
        assert not failures, f"the server failed: {failures}"

    def _read_log(self) -> None:
        for text in self.process.stderr:
            try:
                line = json.loads(text)
            except ValueError:
                line = {"message": text.rstrip(), "level": "TEXT"}
            with self._changed:
                self.log.append(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()
