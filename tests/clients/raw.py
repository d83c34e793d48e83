"""Signed calls without an SDK's own checks in front of them."""

import http.client
import json
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

JSON = "application/x-amz-json-1.1"


class RawClient:
    """One connection to a server, which posts whatever it is given."""

    def __init__(self, url: str, region: str = "eu-west-1", account: str = "123456789012", signer=None):
        self.url = url
        self.signer = signer or SigV4Auth(Credentials(account, "any"), "rekognition", region)
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def call(self, operation: str, members: dict) -> tuple[int, dict]:
        """Calls an operation; the status and the answer."""
        status, _, body = self.post(operation, json.dumps(members))
        return status, json.loads(body)

    def post(self, operation: str, body: str, path: str = "/") -> tuple[int, dict, bytes]:
        """Posts a body to an operation; status, headers in lower case and the answer's bytes."""
        headers = {"Content-Type": JSON, "X-Amz-Target": f"RekognitionService.{operation}"}
        request = AWSRequest("POST", self.url + path, headers=headers, data=body.encode())
        self.signer.add_auth(request)
        prepared = request.prepare()
        parts = urlsplit(prepared.url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in prepared.headers.items()}
        self.connection.request("POST", target, body=prepared.body, headers=headers)
        response = self.connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
