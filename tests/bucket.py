"""A stand-in for S3 on this machine, where `moto` is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from gnomon.testing import free_port

needs_bucket = pytest.mark.skipif(
    shutil.which("moto_server") is None, reason="needs: pip install 'moto[server]'"
)


@contextmanager
def bucket() -> Iterator[str]:
    """A bucket's URL; the usual variables lead there until the block ends."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(["moto_server", "-p", str(port)], stderr=subprocess.DEVNULL)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {
                "AWS_ACCESS_KEY_ID": "a",
                "AWS_SECRET_ACCESS_KEY": "b",
                "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_ALLOW_HTTP": "true",
            }.items():
                patch.setenv(name, value)
            with httpx.Client(transport=httpx.HTTPTransport(retries=50)) as client:
                client.put(f"{endpoint}/bucket").raise_for_status()
            yield "s3://bucket/prefix"
    finally:
        server.kill()
        server.wait()
