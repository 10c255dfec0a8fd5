"""The tokens that a server accepts: found by id, compared by hash, with their state said."""

from __future__ import annotations

import errno
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gnomon.errors import StorageError, Unauthorized
from gnomon.settings import Settings
from gnomon.storage import Storage
from gnomon.tokens.issued_tokens import create_token, list_tokens, revoke_token, rotate_token
from gnomon.tokens.known_tokens import KnownTokens
from gnomon.tokens.token_store import TokenStore
from gnomon.tokens.token_text import TokenText

LATER = timedelta(0)


@pytest.fixture
def root(tmp_path: Path) -> Settings:
    return Settings(root=str(tmp_path / "root"))


def known(root: Settings, later: timedelta = LATER) -> KnownTokens:
    """What a server knows that looks now, with its clock set forward."""
    tokens = KnownTokens(TokenStore(Storage(root)), lambda: datetime.now(UTC) + later)
    tokens.refresh()
    return tokens


def name(tokens: KnownTokens, token: TokenText) -> str | None:
    """Whose token it is; None if it is nobody's."""
    record = tokens.check(token)
    return None if record is None else record.name


def text(token: str) -> TokenText:
    parsed = TokenText.parse(token.encode())
    assert parsed is not None
    return parsed


def test_a_valid_token_has_its_record(root: Settings) -> None:
    """Its id alone does not suffice."""
    token = text(create_token("ann", "operator", settings=root).token)
    tokens = known(root)
    assert name(tokens, token) == "ann"
    for wrong in (token._replace(secret="x" * 43), TokenText.new()):
        assert tokens.check(wrong) is None


def test_expired_and_revoked_are_said_only_to_who_has_the_secret(root: Settings) -> None:
    """Others learn nothing, also not the name."""
    token = text(create_token("ann", "viewer", lifetime=timedelta(hours=1), settings=root).token)
    expired = known(root, timedelta(hours=2))
    with pytest.raises(Unauthorized, match=r"`ann` expired at 20\d\d-"):
        expired.check(token)
    revoke_token("ann", settings=root)
    with pytest.raises(Unauthorized, match="`ann` was revoked"):
        known(root).check(token)
    assert known(root).check(token._replace(secret="x" * 43)) is None


def test_a_change_is_seen_at_the_next_look(root: Settings) -> None:
    """Without a restart."""
    tokens = known(root)
    token = text(create_token("ann", "viewer", settings=root).token)
    assert not tokens.knows(token)
    tokens.refresh()
    assert tokens.knows(token)
    revoke_token("ann", settings=root)
    tokens.refresh()
    with pytest.raises(Unauthorized, match="revoked"):
        tokens.check(token)


def test_a_rotated_token_overlaps_as_long_as_was_said(root: Settings) -> None:
    """Then only the new one is valid."""
    old = text(create_token("ann", "viewer", settings=root).token)
    new = text(rotate_token("ann", overlap=timedelta(hours=1), settings=root).token)
    for token in (old, new):
        assert name(known(root), token) == "ann"
    after = known(root, timedelta(hours=1, seconds=1))
    assert name(after, new) == "ann"
    with pytest.raises(Unauthorized, match="replaced by a newer one"):
        after.check(old)


def test_rotation_at_once_ends_the_old_one(root: Settings) -> None:
    """As after a leak."""
    old = text(create_token("ann", "viewer", settings=root).token)
    rotate_token("ann", settings=root)
    assert known(root).check(old) is None


def test_an_unreadable_record_refuses_its_token_only(
    root: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """The older record is not used instead: the newest may revoke it. It is logged once."""
    ann = text(create_token("ann", "viewer", settings=root).token)
    bob = text(create_token("bob", "viewer", settings=root).token)
    Storage(root).write("tokens/ann/000001.json", b"")
    tokens = known(root)
    tokens.refresh()
    assert name(tokens, bob) == "bob"
    assert tokens.check(ann) is None
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "tokens/ann/000001.json" in errors[0].getMessage()


def test_a_record_that_the_disk_refuses_refuses_its_token_only(root: Settings) -> None:
    """So others are still revoked, as with records of another account; it is read again later."""
    ann = text(create_token("ann", "viewer", settings=root).token)
    bob = text(create_token("bob", "viewer", settings=root).token)
    tokens = known(root)
    loop = Path(root.root, "tokens/ann/000001.json")
    loop.symlink_to(loop)
    revoke_token("bob", settings=root)
    tokens.refresh()
    assert tokens.check(ann) is None
    with pytest.raises(Unauthorized, match="`bob` was revoked"):
        tokens.check(bob)
    loop.unlink()
    tokens.refresh()
    assert name(tokens, ann) == "ann"


def test_a_folder_that_cannot_be_listed_refuses_its_token_only(
    root: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Others can be revoked, and are."""
    ann = text(create_token("ann", "viewer", settings=root).token)
    bob = text(create_token("bob", "viewer", settings=root).token)
    tokens = known(root)
    refuse_listing(monkeypatch, "ann")
    revoke_token("bob", settings=root)
    for _ in range(2):
        tokens.refresh()
    assert tokens.check(ann) is None
    with pytest.raises(Unauthorized, match="`bob` was revoked"):
        tokens.check(bob)
    assert [record.getMessage().count("cannot list tokens/ann") for record in caplog.records] == [1]
    for use in (lambda: revoke_token("ann", settings=root), lambda: list_tokens(settings=root)):
        with pytest.raises(StorageError, match="cannot list tokens/ann: Permission denied"):
            use()


def refuse_listing(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """Let the system refuse to list a folder, as it does to all but root."""
    scan = os.scandir

    def refused(place: str) -> Any:
        if Path(place).name == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        return scan(place)

    monkeypatch.setattr(os, "scandir", refused)


def test_a_root_that_cannot_be_read_changes_nothing(root: Settings) -> None:
    """What was read before is still used."""
    token = text(create_token("ann", "viewer", settings=root).token)
    tokens = known(root)
    folder = Path(root.root) / "tokens"
    folder.rename(folder.with_name("moved"))
    folder.write_text("")  # Neither a folder nor missing.
    with pytest.raises(StorageError):
        tokens.refresh()
    assert name(tokens, token) == "ann"


def test_a_token_that_was_accepted_is_checked_by_its_name(root: Settings) -> None:
    """A decision takes effect later than its request arrived."""
    for owner in ("ann", "bob"):
        create_token(owner, "viewer", settings=root)
    tokens = known(root)
    tokens.check_name("ann")
    revoke_token("ann", settings=root)
    tokens.refresh()
    with pytest.raises(Unauthorized, match="`ann` was revoked"):
        tokens.check_name("ann")
    with pytest.raises(Unauthorized, match="`bob` expired at"):
        known(root, timedelta(days=91)).check_name("bob")
    with pytest.raises(Unauthorized, match="`eve` is not known any more"):
        tokens.check_name("eve")
