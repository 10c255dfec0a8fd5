"""A policy file that changes while a server runs."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from gnomon.errors import PolicyError
from gnomon.policy import Policy
from gnomon.service.slice.followed_policy import FollowedPolicy


def write(path: Path, content: str) -> None:
    """Write it as a new file, as an editor does."""
    new = path.with_suffix(".new")
    new.write_text(content)
    os.replace(new, path)


def test_a_change_is_read(tmp_path: Path) -> None:
    """One that is no policy is logged once, and the last one that was stays."""
    path = tmp_path / "policy.toml"
    write(path, "")
    followed = FollowedPolicy(path)
    assert followed.policy == Policy()
    write(path, "[sampling]\nnoise_floor = 0.25\n")
    followed.refresh()
    assert followed.policy.sampling.noise_floor == 0.25


def test_what_is_no_policy_is_not_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once; also where the file is gone."""
    path = tmp_path / "policy.toml"
    write(path, "[sampling]\nnoise_floor = 0.25\n")
    followed = FollowedPolicy(path)
    write(path, "[sampling]\nnoise_floor = 25\n")
    with caplog.at_level(logging.ERROR, "gnomon"):
        followed.refresh()
        followed.refresh()
    assert [record.message.count("noise_floor") for record in caplog.records] == [1]
    path.unlink()
    followed.refresh()
    assert followed.policy.sampling.noise_floor == 0.25
    with pytest.raises(PolicyError):
        FollowedPolicy(path)


def test_without_a_file_the_defaults_apply() -> None:
    """Nothing is read."""
    followed = FollowedPolicy(None)
    followed.refresh()
    assert followed.policy == Policy()
