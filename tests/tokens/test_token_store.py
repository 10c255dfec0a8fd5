"""The records of tokens on a folder and on S3: created once, changed one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from gnomon.errors import NewerFormat, TokenError, UnreadableFile
from gnomon.settings import Settings
from gnomon.storage import Storage
from gnomon.tokens.token_record import TokenRecord
from gnomon.tokens.token_store import TokenStore
from tests.bucket import bucket, needs_bucket

NOW = datetime(2026, 11, 30, tzinfo=UTC)
ANN = TokenRecord(name="ann", role="viewer", created=NOW, changed=NOW)


@pytest.fixture(params=["folder", pytest.param("bucket", marks=[needs_bucket, pytest.mark.slow])])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TokenStore]:
    """An empty store, of both kinds."""
    if request.param == "folder":
        yield TokenStore(Storage(Settings(root=str(tmp_path))))
    else:
        with bucket() as url:
            yield TokenStore(Storage(Settings(root=url)))


def revoked(record: TokenRecord) -> TokenRecord:
    return msgspec.structs.replace(record, revoked=True)


def test_a_record_is_created_changed_and_read(store: TokenStore) -> None:
    """Each change is another file, and the newest is the state."""
    store.create(ANN)
    assert store.newest() == {"ann": "tokens/ann/000000.json"}
    assert (store.is_revoked("ann"), store.is_revoked("bob")) == (False, True)
    assert store.change("ann", revoked).revoked
    assert store.is_revoked("ann")
    assert store.newest() == {"ann": "tokens/ann/000001.json"}
    assert store.read("tokens/ann/000001.json") == revoked(ANN)
    assert store.read("tokens/ann/000000.json") == ANN


def test_a_name_is_taken_once(store: TokenStore) -> None:
    """Also by two at the same time."""

    def create(_: int) -> bool:
        try:
            store.create(ANN)
        except TokenError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(16))) == 1
    with pytest.raises(TokenError, match="already"):
        store.create(ANN)


def test_of_two_changes_at_once_one_is_told(store: TokenStore) -> None:
    """The loser changes nothing."""
    store.create(ANN)

    def interrupted(record: TokenRecord) -> TokenRecord:
        store.change("ann", revoked)
        return record

    with pytest.raises(TokenError, match="at the same time"):
        store.change("ann", interrupted)
    assert store.read(store.newest()["ann"]).revoked


def test_an_unknown_token_is_told_the_known_ones(store: TokenStore) -> None:
    """A misspelt name is seen at once."""
    store.create(ANN)
    with pytest.raises(TokenError) as refused:
        store.change("bob", revoked)
    assert "ann" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", UnreadableFile),
        (b"{", UnreadableFile),
        (b'{"format": 2}', NewerFormat),
        (msgspec.json.encode(msgspec.structs.replace(ANN, name="bob")), UnreadableFile),
    ],
)
def test_a_damaged_record_is_refused_by_name(
    tmp_path: Path, content: bytes, error: type[Exception]
) -> None:
    """As one of a newer version, and one that was copied from another token."""
    storage = Storage(Settings(root=str(tmp_path)))
    storage.write("tokens/ann/000000.json", content)
    with pytest.raises(error, match="tokens/ann"):
        TokenStore(storage).read("tokens/ann/000000.json")


def test_other_files_are_no_records(tmp_path: Path) -> None:
    """Such as what a file manager leaves."""
    storage = Storage(Settings(root=str(tmp_path)))
    for name in (
        "tokens/notes.txt",
        "tokens/ann/x.json",
        "tokens/ann/1.json",
        "tokens/a/b/000000.json",
    ):
        storage.write(name, b"x")
    assert TokenStore(storage).newest() == {}
