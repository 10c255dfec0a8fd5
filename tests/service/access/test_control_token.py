"""The control token: its file and its setting."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gnomon.errors import SettingsError
from gnomon.service.access.control_token import control_token, find_control_token
from gnomon.settings import Settings
from gnomon.tokens.token_text import TokenText


def test_a_token_is_made_once_and_kept_for_its_owner(settings: Settings) -> None:
    """The first start writes it, readable by its owner only; later ones read it."""
    token = control_token(settings)
    path = Path(settings.root) / "control.token"
    assert path.read_text().strip() == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(token) >= 32
    assert control_token(settings) == find_control_token(settings) == token
    assert [file.name for file in path.parent.iterdir()] == ["control.token"]


def test_slices_that_start_together_agree_on_a_token(settings: Settings) -> None:
    """Of many first starts at once, one makes the token and all use it."""
    with ThreadPoolExecutor(16) as pool:
        tokens = set(pool.map(control_token, [settings] * 64))
    assert len(tokens) == 1


def test_a_setting_wins_over_the_file(settings: Settings) -> None:
    """With a token in the settings no file is made."""
    with_token = Settings(root=settings.root, control_token="mine")
    assert control_token(with_token) == find_control_token(with_token) == "mine"
    assert not Path(settings.root).exists()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_token_others_can_read_or_write_is_refused(settings: Settings, mode: int) -> None:
    """Others are the owner's group and everybody else; the message says how to mend it."""
    control_token(settings)
    (Path(settings.root) / "control.token").chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        control_token(settings)


def test_an_empty_token_is_refused(settings: Settings) -> None:
    """An empty token would let everybody in."""
    control_token(settings)
    (Path(settings.root) / "control.token").write_text("\n")
    with pytest.raises(SettingsError, match="empty"):
        find_control_token(settings)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"two words", b"a\nb", b"\x00", b"x" * 100_000])
def test_a_token_file_that_holds_no_token_is_refused(settings: Settings, content: bytes) -> None:
    """No client could send it in a header; of a huge file only a part is read."""
    control_token(settings)
    (Path(settings.root) / "control.token").write_bytes(content)
    with pytest.raises(SettingsError, match="printable ASCII"):
        control_token(settings)


def test_a_pipe_in_place_of_the_token_is_refused(settings: Settings) -> None:
    """Opening it would wait for a writer."""
    Path(settings.root).mkdir()
    os.mkfifo(Path(settings.root) / "control.token", 0o600)
    with pytest.raises(SettingsError, match="cannot read the control token"):
        control_token(settings)


def test_a_remote_root_needs_the_token_as_a_setting() -> None:
    """Replicas on several machines share no file, so each needs the same token in its settings."""
    settings = Settings(root="s3://bucket/prefix")
    assert find_control_token(settings) is None
    with pytest.raises(SettingsError, match="GNOMON_CONTROL_TOKEN"):
        control_token(settings)


def test_a_tool_finds_no_token_where_no_server_started(settings: Settings) -> None:
    """Looking for a token does not create one."""
    assert find_control_token(settings) is None
    assert not Path(settings.root).exists()


def test_the_token_of_a_person_is_no_control_token(settings: Settings) -> None:
    """As the server's secret it would have every role, whatever its own is."""
    named = Settings(root=settings.root, control_token=TokenText.new().text)
    with pytest.raises(SettingsError, match="GNOMON_TOKEN"):
        control_token(named)
