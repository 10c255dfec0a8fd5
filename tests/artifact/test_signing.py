"""Signatures: who signed an artifact, and which keys are trusted."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gnomon.artifact import Artifact, inspect, load, pack
from gnomon.artifact.artifact import examine
from gnomon.artifact.folder import ArtifactFolder
from gnomon.artifact.signing import PublicKey, new_key, read_private, sign
from gnomon.errors import (
    ArtifactCorrupt,
    MissingExtra,
    SettingsError,
    SigningError,
    UntrustedSignature,
)
from gnomon.settings import Settings
from tests.artifact.conftest import reseal

TRUSTED = "GNOMON_TRUSTED_KEYS"


def no_passphrase() -> bytes:
    raise AssertionError("asked for a passphrase")


def signed(folder: Path, key: Path) -> PublicKey:
    """Sign it as ``gnomon sign`` does."""
    artifact = examine(folder, keys=None)
    private = read_private(key, no_passphrase)
    return sign(ArtifactFolder(folder), artifact.tag, artifact.digest, private)


@pytest.fixture
def alice(tmp_path: Path) -> Path:
    """A private key, with its public key in the same folder."""
    new_key(tmp_path / "alice", "alice@example")
    return tmp_path / "alice"


@pytest.fixture
def bob(tmp_path: Path) -> Path:
    """Another."""
    new_key(tmp_path / "bob", "bob@example")
    return tmp_path / "bob"


def public(key: Path) -> str:
    return f"{key}.pub"


def test_a_key_is_openssh_s_and_its_owners(alice: Path) -> None:
    """ssh-keygen reads both halves; only the owner may read the private one."""
    assert stat.S_IMODE(alice.stat().st_mode) == 0o600
    key = PublicKey.parse(Path(public(alice)).read_text(), "alice.pub")
    assert key.comment == "alice@example"
    done = subprocess.run(
        ["ssh-keygen", "-l", "-f", public(alice)], capture_output=True, text=True, check=True
    )
    assert key.fingerprint in done.stdout
    made = subprocess.run(
        ["ssh-keygen", "-y", "-f", alice], capture_output=True, text=True, check=True
    )
    assert made.stdout.startswith(key.line)


def test_a_key_is_never_overwritten(alice: Path) -> None:
    """Artifacts were signed with it."""
    before = alice.read_bytes()
    with pytest.raises(SigningError, match="never overwritten"):
        new_key(alice, "")
    assert alice.read_bytes() == before


def test_signing_changes_neither_manifest_nor_digest(
    copied: Path, packed: Artifact, alice: Path
) -> None:
    """The packed files stay unchanged; the signature is an additional file."""
    signed(copied, alice)
    again = inspect(copied)
    assert (again.digest, again.manifest) == (packed.digest, packed.manifest)
    (signer,) = again.signers
    assert not signer.trusted
    assert signer.comment == ""


@pytest.mark.parametrize("how", ["a file", "the key itself", "several"])
def test_a_trusted_signature_is_taken(
    copied: Path, alice: Path, bob: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys are given as files or inline, one or several; key rotation lists both."""
    signed(copied, alice)
    value = {
        "a file": public(alice),
        "the key itself": Path(public(alice)).read_text(),
        "several": f"{public(bob)}, {public(alice)}",
    }[how]
    monkeypatch.setenv(TRUSTED, value)
    (signer,) = inspect(copied).signers
    assert signer.trusted
    assert signer.comment == "alice@example"


def test_an_unsigned_artifact_is_refused(
    copied: Path, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where keys are trusted; the error says which, and what to do."""
    monkeypatch.setenv(TRUSTED, public(alice))
    for function in (inspect, load):
        with pytest.raises(UntrustedSignature, match="is not signed") as caught:
            function(copied)
        assert "alice@example" in str(caught.value.hint)
        assert "gnomon sign" in str(caught.value.hint)


def test_another_key_is_refused(
    copied: Path, alice: Path, bob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has its fingerprint."""
    key = signed(copied, bob)
    monkeypatch.setenv(TRUSTED, public(alice))
    with pytest.raises(UntrustedSignature, match=r"not a trusted key") as caught:
        inspect(copied)
    assert key.fingerprint in caught.value.message


def test_several_may_sign(
    copied: Path, alice: Path, bob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second signature keeps the first; the same key signs once."""
    signed(copied, alice)
    signed(copied, bob)
    signed(copied, bob)
    monkeypatch.setenv(TRUSTED, public(bob))
    assert [signer.trusted for signer in inspect(copied).signers] == [False, True]


def test_what_changed_after_signing_is_refused(
    copied: Path, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attacker can make every hash correct, but cannot sign."""
    signed(copied, alice)
    (copied / "code" / "preprocessing" / "constants.py").write_text("FACTOR = 2\n")
    (copied / "signatures.json").rename(copied.parent / "aside")
    reseal(copied)
    (copied.parent / "aside").rename(copied / "signatures.json")
    monkeypatch.setenv(TRUSTED, public(alice))
    with pytest.raises(UntrustedSignature, match="not for flights:"):
        inspect(copied)


def test_a_signature_is_for_one_tag(
    copied: Path, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not apply to another version, even an identical one."""
    signed(copied, alice)
    kept = (copied / "signatures.json").read_bytes()
    (copied / "signatures.json").unlink()
    reseal(copied, version="newer")
    (copied / "signatures.json").write_bytes(kept)
    monkeypatch.setenv(TRUSTED, public(alice))
    with pytest.raises(UntrustedSignature, match="not for flights:newer"):
        inspect(copied)


def test_a_good_signature_is_no_cover_for_a_bad_one(
    copied: Path, alice: Path, bob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong signature by a trusted key means tampering, even if another one is valid."""
    signed(copied, alice)
    signed(copied, bob)
    content = json.loads((copied / "signatures.json").read_bytes())
    first, second = content["signatures"]
    first["signature"] = second["signature"]
    (copied / "signatures.json").write_text(json.dumps(content))
    monkeypatch.setenv(TRUSTED, f"{public(alice)},{public(bob)}")
    with pytest.raises(UntrustedSignature, match="is not for"):
        inspect(copied)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"format": 9, "signatures": []}',
        b'{"signatures": [{"key": 1}]}',
        b'{"signatures": [{"key": "ssh-ed25519 x", "signature": "", '
        b'"signed": "2026-01-01T00:00:00Z"}]}',
        b'{"signatures": [' + b"[" * 50_000,
    ],
)
def test_signatures_that_are_none_are_refused(
    copied: Path, content: bytes, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invalid signature files are refused even if no key is required."""
    (copied / "signatures.json").write_bytes(content)
    for trusted in (None, public(alice)):
        if trusted:
            monkeypatch.setenv(TRUSTED, trusted)
        with pytest.raises((ArtifactCorrupt, SettingsError)):
            inspect(copied)


@pytest.mark.parametrize(
    "value", ["", " , ", "/nowhere/at/all", "ssh-rsa AAAA", "ssh-ed25519 AAAA"]
)
def test_keys_that_are_none_are_an_error(
    packed: Artifact, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invalid entry in the list is an error and does not turn the check off."""
    monkeypatch.setenv(TRUSTED, value)
    with pytest.raises(SettingsError, match="key"):
        inspect(packed.path)


def test_without_the_package_nothing_is_taken(
    copied: Path, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that cannot verify signatures refuses the artifact."""
    signed(copied, alice)
    monkeypatch.setenv(TRUSTED, public(alice))
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtra, match="cryptography") as caught:
        inspect(copied)
    assert caught.value.hint == "run: pip install 'gnomon[sign]'"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "an empty file"),
        (b"ssh-ed25519 AAAA me\n", "a public key"),
        (b"-----BEGIN PUBLIC KEY-----\n", "a public key"),
        (b"\x89PNG\r\n", "something else"),
    ],
)
def test_what_is_no_private_key_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    """The error names it in any mode of the file: a public key given for the private one is
    named as that.
    """
    key = tmp_path / "me.pub"
    key.write_bytes(content)
    key.chmod(0o644)
    with pytest.raises(SigningError, match=f"expected a private key.*got {says}") as caught:
        read_private(key, no_passphrase)
    assert caught.value.where == str(key)
    if says == "a public key":
        assert f"--key {tmp_path / 'me'}" in str(caught.value.hint)


def test_a_key_that_others_may_read_is_refused(alice: Path) -> None:
    """Ssh refuses such a key too."""
    alice.chmod(0o644)
    with pytest.raises(SigningError, match="readable by others"):
        read_private(alice, no_passphrase)


def test_a_key_of_ssh_keygen_with_a_passphrase_signs(copied: Path, tmp_path: Path) -> None:
    """It is asked for; a wrong one is an error."""
    key = tmp_path / "carol"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-a", "1", "-f", key], check=True
    )
    read_private(key, lambda: b"secret")
    with pytest.raises(SigningError):
        read_private(key, lambda: b"guess")


@pytest.mark.parametrize("kind", ["rsa", "nonsense", "missing"])
def test_what_is_no_key_is_refused(tmp_path: Path, kind: str) -> None:
    """A key of another algorithm, a file that is no key, and a missing file are refused."""
    key = tmp_path / "key"
    if kind == "rsa":
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", key], check=True)
    elif kind == "nonsense":
        key.write_text("-----BEGIN PRIVATE KEY-----\n")
        key.chmod(0o600)
    with pytest.raises(SigningError):
        read_private(key, no_passphrase)


def test_keys_are_not_set_in_code() -> None:
    """A command would not know of them."""
    with pytest.raises(SettingsError, match="environment"):
        Settings.read({}, trusted_keys="x")


def test_a_child_is_given_the_keys_by_full_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it runs."""
    monkeypatch.chdir(tmp_path)
    settings = Settings.read({TRUSTED: "alice.pub, ssh-ed25519 AAAA bob"})
    assert settings.environment()[TRUSTED] == f"{tmp_path}/alice.pub,ssh-ed25519 AAAA bob"


def test_packing_needs_no_signature(
    home: Path, project: Callable[..., object], alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is signed afterwards; until then nothing loads it."""
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    frame = pd.DataFrame({"x": np.arange(30.0)})
    monkeypatch.setenv(TRUSTED, public(alice))
    artifact = pack("toy", LinearRegression().fit(frame, frame["x"]), frame, leakage="off")
    with pytest.raises(UntrustedSignature):
        load(artifact.tag)
    signed(artifact.path, alice)
    assert load(artifact.tag).artifact.signers[0].trusted
    assert stat.S_IMODE(os.stat(home / "models" / "toy" / artifact.version).st_mode) == 0o700


def test_a_signed_artifact_may_be_moved(
    copied: Path, alice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another machine, the artifact and its signature are still accepted."""
    signed(copied, alice)
    monkeypatch.setenv(TRUSTED, public(alice))
    assert inspect(Path(shutil.copytree(copied, tmp_path / "there"))).signers[0].trusted
