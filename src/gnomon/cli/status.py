"""``gnomon status``: show what is live, what is in shadow, and the accounts, over all slices."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from gnomon.cli.options import AsJson, Model, Token, Url

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from gnomon.api.log_query import Unevaluated
    from gnomon.rollout.gate import Gates
    from gnomon.service.client.clients import Client
    from gnomon.service.status.deployment_overview import Overview

__all__ = ["command"]

REST = 10
"""Gates read the log, so they are evaluated for at most a tenth of the time."""


def command(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Keep it up to date until Ctrl-C or q.")
    ] = False,
    gates: Annotated[
        bool,
        typer.Option(
            "--gates",
            help="Evaluate each shadow's gates, as `gnomon promote --check` does: at the server of "
            "--url, else here, on the log of the storage root.",
        ),
    ] = False,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            help="The policy for --gates. Default: shadow/policy.toml, else the defaults.",
        ),
    ] = None,
    model: Model = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show what is live, what is in shadow, and the accounts."""
    from gnomon.cli.rollout_target import server_at

    def look() -> Overview:
        return _find(url, token, model)

    server = server_at(url, token, policy=policy) if gates else None
    evaluated = RecentGates(policy, server) if gates else None
    if watch:
        _watch(look, evaluated)
    elif as_json:
        _print_json(look(), evaluated)
    else:
        from gnomon.cli.console import out

        out.print(_shown(look(), evaluated), soft_wrap=True)


class RecentGates:
    """The gates of running shadows, evaluated again after a pause that depends on what it takes.

    Args:
        policy: the policy file, read each time.
        server: evaluates them by its own policy; without it, they are evaluated here.
        clock: returns seconds.

    Attributes:
        evaluated: when they were last evaluated; None before.
    """

    def __init__(
        self,
        policy: Path | None,
        server: Client | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._server = server
        self._clock = clock
        self._gates: list[Gates | Unevaluated] = []
        self._next = clock()
        self.evaluated: datetime | None = None

    def of(self, overview: Overview) -> list[Gates | Unevaluated]:
        """Return the gates of each shadow that may replace live, or why there are none."""
        began = self._clock()
        if began >= self._next:
            self._gates = [*self._evaluated(overview)]
            ended = self._clock()
            self.evaluated = datetime.now(UTC)
            self._next = ended + REST * (ended - began)
        return self._gates

    def _evaluated(self, overview: Overview) -> Iterator[Gates | Unevaluated]:
        from gnomon.api.shadow_gates import gates_of
        from gnomon.cli.rollout_target import settings_here
        from gnomon.policy import find_policy
        from gnomon.service.status.totals import total

        if self._server is not None:
            checks = self._server.check_gates()
            yield from checks.gates
            yield from checks.unevaluated
            return
        status = total(overview.slices)
        live = None if status.live is None else status.live.artifact
        # The shadow of live itself measures the noise floor.
        tags = [shadow.artifact for shadow in status.shadows if shadow.artifact != live]
        yield from gates_of(tags, policy=find_policy(self._policy), settings=settings_here())


def _print_json(overview: Overview, evaluated: RecentGates | None) -> None:
    from msgspec.structs import asdict

    from gnomon.cli.console import print_json
    from gnomon.cli.show.gates import gates_document
    from gnomon.rollout.gate import Gates
    from gnomon.service.status.totals import total

    document = msgspec.to_builtins({**asdict(overview), "total": total(overview.slices)})
    for status in (*document["slices"], document["total"]):
        if status["started"] is None:  # Without a server the rows in the log are not counted here.
            del status["books"]
    if evaluated is not None:
        document["gates"] = [
            gates_document(gates) if isinstance(gates, Gates) else gates
            for gates in evaluated.of(overview)
        ]
        document["gates_evaluated"] = evaluated.evaluated
    print_json(document)


def _shown(overview: Overview, evaluated: RecentGates | None) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from gnomon.api.log_query import Unevaluated
    from gnomon.cli.show.gates import gates_shown
    from gnomon.cli.show.status import show_status

    status, reported = Text.from_markup(show_status(overview)), datetime.now(UTC)
    if evaluated is None:
        return status
    shown: list[RenderableType] = [status]
    for number, gates in enumerate(evaluated.of(overview)):
        if not number and evaluated.evaluated is not None:
            shown.append(_times(reported, evaluated.evaluated))
        if isinstance(gates, Unevaluated):
            shown.append(Text(f"gates of {gates.artifact}: {gates.error}", style="yellow"))
        else:
            shown += gates_shown(gates)
    return Group(*shown)


def _times(reported: datetime, evaluated: datetime) -> Text:
    """Say when the counts and the gates were taken: rows may be scored between the two."""
    from rich.text import Text

    from gnomon.cli.console import local

    return Text(
        f"The counts above are what servers reported by {local(reported)}; the gates were "
        f"evaluated on the log at {local(evaluated)}."
    )


def _find(url: str | None, token: str | None, model: str | None) -> Overview:
    """Find the deployment under the storage root, or the one slice at another ``url``."""
    from gnomon.cli.rollout_target import find_target
    from gnomon.errors import SettingsError
    from gnomon.rollout.named_artifacts import find_model
    from gnomon.service.status.deployment_overview import Overview, overview
    from gnomon.settings import Settings

    target = find_target(url, token, model=model)
    settings = Settings.read()
    with contextlib.suppress(SettingsError):  # The storage root has no such model.
        name = find_model(settings, model)
        return overview(settings, name, place=target.place, ask=target.slices, url=url)
    return Overview(place=target.place, slices=target.slices())


def _watch(look: Callable[[], Overview], evaluated: RecentGates | None) -> None:
    """Keep the status up to date; while a server does not answer, show the error and retry."""
    from rich.text import Text

    from gnomon.cli.watching import watch
    from gnomon.errors import GnomonError

    def content() -> RenderableType:
        try:
            return _shown(look(), evaluated)
        except GnomonError as error:
            return Text(str(error), style="yellow")

    watch(content)
