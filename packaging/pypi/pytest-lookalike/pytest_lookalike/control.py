"""The server's control plane, as far as tests need it."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class ControlError(Exception):
    """The server refused; the text is its reason."""


class Control:
    """Routes under `/_lookalike` of a server. LOOKALIKE_ADMIN_TOKEN is used where it is set."""

    def __init__(self, url: str):
        self._url = f"{url}/_lookalike"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a route."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "x-lookalike-admin": "1"}
        if token := os.environ.get("LOOKALIKE_ADMIN_TOKEN"):
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ControlError(f"{method} {path}: {error.read().decode()}") from error

    @contextmanager
    def fault(self, rule: dict[str, Any]) -> Iterator[None]:
        """Adds a rule to the faults in force, and puts those back in the end."""
        before = self.call("GET", "/faults")
        # What a preset stands for is among the rules, marked.
        own = [
            {name: value for name, value in each.items() if name not in ("struck", "preset")}
            for each in before["rules"]
            if not each.get("preset")
        ]
        plan = {"seed": before.get("seed"), "presets": before["presets"]}
        self.call("PUT", "/faults", plan | {"rules": [*own, rule]})
        try:
            yield
        finally:
            self.call("PUT", "/faults", plan | {"rules": own})
