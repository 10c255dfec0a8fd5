"""The manifest and its hash."""

from __future__ import annotations

import subprocess

from gnomon.artifact import Artifact, Manifest


def test_a_manifest_reads_back_as_written(packed: Artifact) -> None:
    """What is on disk is all there is."""
    manifest, digest = Manifest.read(packed.path)
    assert (manifest, digest) == (packed.manifest, packed.digest)


def test_the_seal_is_one_that_sha256sum_checks(packed: Artifact) -> None:
    """A person without Gnomon can check the manifest."""
    done = subprocess.run(
        ["sha256sum", "--check", "manifest.sha256"],
        cwd=packed.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "manifest.json: OK\n", done.stderr
