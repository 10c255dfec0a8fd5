"""Settings that are refused, and those that a child process gets."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from msgspec import structs

from gnomon.errors import SettingsError
from gnomon.log.table.log_table import LogTable
from gnomon.log.table.retention import removal_time
from gnomon.settings import Settings


@pytest.mark.parametrize(("given", "umask"), [("077", 0o077), ("0027", 0o027), ("007", 0o007)])
def test_a_umask_is_octal_as_in_the_shell(given: str, umask: int) -> None:
    """It is handed to child processes."""
    settings = Settings.read({"GNOMON_UMASK": given})
    assert settings.file_umask == umask
    assert Settings.read(settings.environment()).file_umask == umask
    assert Settings.read({}).file_umask == 0o077


@pytest.mark.parametrize("given", ["", "0", "7", "088", "0o077", "777", "177", "-77", "077 "])
def test_what_is_no_umask_is_refused(given: str) -> None:
    """A umask that would take the owner's own rights is refused too."""
    with pytest.raises(SettingsError, match="GNOMON_UMASK"):
        Settings.read({"GNOMON_UMASK": given})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("GNOMON_FSYNC_SECONDS", "fast", "expected a number, got 'fast'"),
        ("GNOMON_BODY_BYTES", "1GB", "expected a whole number, got '1GB'"),
        ("GNOMON_LOG_FAILURE", "ignore", "expected refuse or serve, got 'ignore'"),
        ("GNOMON_FAST_HTTP", "off", "expected 0 or 1, got 'off'"),
        ("GNOMON_FSYNC_SECONDS", "-1", "expected a number of 0 or more, got -1"),
        ("GNOMON_RETENTION_DAYS", "-1", "expected a number of 0 or more, got -1"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_what_is_expected(
    name: str, value: str, message: str
) -> None:
    """The error says what came and what is accepted."""
    with pytest.raises(SettingsError, match=re.escape(message)) as refused:
        Settings.read({name: value})
    assert refused.value.where == name


@pytest.mark.parametrize("given", ["0", "false", "False"])
def test_what_is_turned_off_is_off_in_child_processes(given: str) -> None:
    """A worker takes no shortcut if its gateway's settings forbid it."""
    settings = Settings.read({"GNOMON_FAST_PIPELINE": given})
    assert settings.fast_pipeline is False
    assert Settings.read(settings.environment()).fast_pipeline is False
    assert Settings.read({}).fast_pipeline is True


NUMBERS = {
    name: value
    for name, value in structs.asdict(Settings()).items()
    if isinstance(value, int | float) and not isinstance(value, bool)
}


@pytest.mark.parametrize("given", ["-1", "nan", "inf", "-inf"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_is_negative_or_not_finite_is_refused(name: str, given: str) -> None:
    """-1 for no limit would have retention remove every row; a limit of nan is never reached."""
    with pytest.raises(SettingsError, match=r"expected a (whole )?number"):
        Settings.read({f"GNOMON_{name.upper()}": given})


@pytest.mark.parametrize("name", NUMBERS)
def test_0_is_taken_where_it_means_something(name: str) -> None:
    """The documentation says what it means: no limit, or before each answer."""
    off = ("batch_seconds", "fsync_seconds", "spool_bytes", "worker_bytes")
    if name in (*off, "retention_bytes", "retention_days"):
        assert getattr(Settings.read({f"GNOMON_{name.upper()}": "0"}), name) == 0
    else:
        with pytest.raises(SettingsError, match="expected a number above 0, got 0"):
            Settings.read({f"GNOMON_{name.upper()}": "0"})


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("deadline", "1e308"),
        ("segment_seconds", "2000001"),
        ("retention_days", "1e6"),
        ("slices", "1025"),
        ("segment_bytes", "9" * 400),
    ],
)
def test_a_number_that_the_system_cannot_take_is_refused(name: str, given: str) -> None:
    """A limit of a million days was an error in every round of the sealer, and not named."""
    with pytest.raises(SettingsError, match="expected at most"):
        Settings.read({f"GNOMON_{name.upper()}": given})


@pytest.mark.parametrize("name", ["root", "spool", "url", "control_token", "predict_token"])
@pytest.mark.parametrize("given", ["", " ", "s3cret\n"])
def test_a_text_that_is_empty_or_has_spaces_around_it_is_refused(name: str, given: str) -> None:
    """An empty control token allowed promotions with an empty token; an empty spool was the
    working directory. Secrets are not shown.
    """
    with pytest.raises(SettingsError, match=f"GNOMON_{name.upper()}") as refused:
        Settings.read({f"GNOMON_{name.upper()}": given})
    assert "s3cret" not in str(refused.value)


def test_the_longest_times_can_be_waited_for(tmp_path: Path) -> None:
    """They fit the system's calls, which take milliseconds, and retention."""
    longest = Settings.read(
        {"GNOMON_DEADLINE": "2e6", "GNOMON_RETENTION_DAYS": "365000", "GNOMON_ROOT": str(tmp_path)}
    )
    assert longest.deadline * 1_000 < 2**31
    now = dt.datetime(2013, 4, 1, tzinfo=dt.UTC)
    removed = removal_time(longest, LogTable(longest, "flights"), now)
    assert removed is not None
    assert removed.year == 1013


@pytest.mark.parametrize("given", ["nan", "host:3000", "ftp://host", "http://", "http://a b"])
def test_an_address_that_no_client_can_ask_is_refused(given: str) -> None:
    """Such as `--url` and the server's own host name would have to be made of."""
    with pytest.raises(SettingsError, match="expected an address such as http://host:3000"):
        Settings.read({"GNOMON_URL": given})
    assert Settings.read({"GNOMON_URL": "https://[::1]:3000/flights"}).url
