"""Tokens are created, listed, rotated and revoked, and nothing stored or shown is the secret."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import gnomon
from gnomon.errors import TokenError, UnknownArtifact
from gnomon.settings import Settings


@pytest.fixture
def root(tmp_path: Path) -> Settings:
    return Settings(root=str(tmp_path / "root"))


def test_a_new_token_is_listed_without_its_secret(root: Settings) -> None:
    """The text is in the answer to its creation and nowhere else."""
    made = gnomon.create_token("ann", "promoter", models=["flights"], by="bob", settings=root)
    [listed] = gnomon.list_tokens(settings=root)
    assert (listed.name, listed.role, listed.models) == ("ann", "promoter", ("flights",))
    assert (listed.state, listed.by) == ("valid", "bob")
    assert listed.expires is not None
    assert listed.expires - listed.created == timedelta(days=90)
    secret = made.token.split("_", 2)[2]
    assert secret not in repr(made) + repr(listed)
    for file in Path(root.root).rglob("*"):
        if file.is_file():
            assert secret not in file.read_text()
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_token_may_have_no_end(root: Settings) -> None:
    """If it is said."""
    made = gnomon.create_token("ann", "viewer", lifetime=None, settings=root)
    assert made.expires is None
    assert gnomon.rotate_token("ann", settings=root).expires is None


def test_rotation_keeps_the_lifetime(root: Settings) -> None:
    """Unless another one is said. Role and models stay."""
    made = gnomon.create_token("ann", "viewer", lifetime=timedelta(days=7), settings=root)
    again = gnomon.rotate_token("ann", settings=root)
    assert made.expires is not None
    assert again.expires is not None
    assert again.expires - again.changed == timedelta(days=7)
    assert again.token != made.token
    longer = gnomon.rotate_token("ann", lifetime=timedelta(days=9), settings=root)
    assert longer.expires is not None
    assert longer.expires - longer.changed == timedelta(days=9)


def test_an_overlap_shows_both_ids(root: Settings) -> None:
    """The one that was used longest comes first; a second rotation does not lengthen it."""
    first = gnomon.create_token("ann", "viewer", settings=root).ids
    gnomon.rotate_token("ann", overlap=timedelta(hours=1), settings=root)
    third = gnomon.rotate_token("ann", overlap=timedelta(0), settings=root)
    assert len(third.ids) == 1
    assert third.ids != first


def test_an_expired_secret_does_not_come_back(root: Settings, monkeypatch: Any) -> None:
    """Rotation with an overlap extends the token, not the secret that had ended."""
    old = gnomon.create_token("ann", "viewer", lifetime=timedelta(microseconds=1), settings=root)
    new = gnomon.rotate_token(
        "ann", overlap=timedelta(hours=1), lifetime=timedelta(days=1), settings=root
    )
    assert not {*old.ids} & {*new.ids}
    assert len(new.ids) == 1


def test_a_revoked_token_stays_revoked_and_keeps_its_name(root: Settings) -> None:
    """The history stays clear about who was ann."""
    gnomon.create_token("ann", "viewer", settings=root)
    revoked = gnomon.revoke_token("ann", by="bob", settings=root)
    assert (revoked.state, revoked.ids, revoked.by) == ("revoked", (), "bob")
    with pytest.raises(TokenError, match="already, or there was one"):
        gnomon.create_token("ann", "viewer", settings=root)
    for change in (gnomon.rotate_token, gnomon.revoke_token):
        with pytest.raises(TokenError, match="was revoked on"):
            change("ann", settings=root)


@pytest.mark.parametrize("name", ["", "Ann", "a b", "../a", "a/b", ".a", "a" * 65, "é", "a\n"])
def test_a_name_that_is_no_name_is_refused(root: Settings, name: str) -> None:
    """Before anything is written."""
    with pytest.raises(TokenError, match="lower-case"):
        gnomon.create_token(name, "viewer", settings=root)
    assert not Path(root.root).exists()


def test_other_wrong_arguments_are_refused(root: Settings) -> None:
    """Each with what is right."""
    with pytest.raises(TokenError, match="viewer, labeller"):
        gnomon.create_token("ann", "admin", settings=root)  # type: ignore[arg-type]
    with pytest.raises(UnknownArtifact):
        gnomon.create_token("ann", "viewer", models=["a/b"], settings=root)
    with pytest.raises(TokenError, match="--expires never"):
        gnomon.create_token("ann", "viewer", lifetime=timedelta(0), settings=root)
    with pytest.raises(TokenError, match="overlap"):
        gnomon.rotate_token("ann", overlap=timedelta(-1), settings=root)
    with pytest.raises(TokenError, match="there is no token `ann`"):
        gnomon.revoke_token("ann", settings=root)
