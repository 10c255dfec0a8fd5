"""What the processes that combine two artifacts tell each other."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from gnomon.artifact.manifest import Combination, Serializer
from gnomon.contract.contract import Contract
from gnomon.pipeline.model_input import ModelInput
from gnomon.wire_errors import SentError

__all__ = ["FailedPart", "JoinRequest", "Joined", "Reply", "StoredPart", "Taken", "Which"]

Which = Literal["model", "preprocessing"]


class Taken(msgspec.Struct, frozen=True, kw_only=True, tag="taken"):
    """One part of an artifact, stored as bytes.

    Attributes:
        file: where it was stored.
        step: the name of the last step, the model.
        form: what the artifact's preprocessing gives to its model.
        imports: the vendored top-level modules that the part needs, and those that nothing in the
            pipeline imports by name, which it may need.
    """

    file: str
    step: str
    form: ModelInput
    imports: tuple[str, ...]


class StoredPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part that is to be joined.

    Attributes:
        folder: the artifact that it is of.
        digest: that artifact's.
        file: has the part, as the artifact's serializer wrote it.
        code: the top-level modules that are taken from the artifact.
    """

    folder: str
    digest: str
    file: str
    code: tuple[str, ...]


class JoinRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be joined, and the version that it gets."""

    model: StoredPart
    preprocessing: StoredPart
    step: str
    contract: Contract
    combination: Combination
    version: str
    created: datetime
    serializer: Serializer


class Joined(msgspec.Struct, frozen=True, tag="joined"):
    """The artifact was written."""


class FailedPart(SentError, frozen=True, tag="failed"):
    """Why a process did not do it."""


Reply = Taken | Joined | FailedPart
