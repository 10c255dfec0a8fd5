"""An audit from Python: export, verify."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

import gnomon
from gnomon.artifact.signing import new_key
from gnomon.errors import SettingsError, SigningError
from gnomon.rollout.history import RolloutEvent, open_history
from gnomon.settings import Settings

TRUSTED = "GNOMON_TRUSTED_KEYS"


@pytest.fixture(autouse=True)
def decided(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One decision; this process reads the storage root."""
    monkeypatch.setenv("GNOMON_ROOT", settings.root)
    monkeypatch.chdir(tmp_path)
    open_history(settings, "toy").append(RolloutEvent(kind="promote", artifact="toy:one"))


def protect(key: Path, passphrase: bytes) -> None:
    """Give a private key a passphrase."""
    private = serialization.load_ssh_private_key(key.read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(passphrase)
    form = serialization.PrivateFormat.OpenSSH
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, form, encryption))


def test_what_is_exported_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the only model of the root, a default name, and keys as text, file or variable."""
    public = new_key(Path("alice"), "alice@example")
    written = gnomon.export_audit(key="alice")
    assert written.path == Path("audit-toy-1.tar")
    for keys in (["alice.pub"], [f"{public.line} alice"]):
        assert gnomon.verify_audit(written.path, keys=keys).verdict == "proven"
    assert gnomon.verify_audit(written.path).verdict == "not_proven"
    monkeypatch.setenv(TRUSTED, public.line)
    report = gnomon.verify_audit("audit-toy-1.tar", model="toy", extends="audit-toy-1.tar")
    assert report.verdict == "proven"
    assert report.to_frame()["verdict"].tolist().count("failed") == 0


def test_a_key_that_cannot_be_used_is_refused() -> None:
    """A private key with a passphrase that is not given, and a public key that is none."""
    new_key(Path("alice"), "alice@example")
    protect(Path("alice"), b"secret")
    with pytest.raises(SigningError, match="has a passphrase"):
        gnomon.export_audit(key="alice")
    assert gnomon.export_audit(key="alice", passphrase=b"secret").signer is not None
    with pytest.raises(SettingsError, match="cannot read the public keys"):
        gnomon.verify_audit("audit-toy-1.tar", keys=["nobody.pub"])
