"""``gnomon token``: create, list, rotate and revoke named tokens, in the storage root."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from gnomon.cli.durations import parse_duration
from gnomon.cli.options import AsJson, Model, Token, Url, me

if TYPE_CHECKING:
    from gnomon.tokens.issued_tokens import IssuedToken, NewToken

__all__ = ["app"]

app = typer.Typer(
    name="token",
    help="Give each person and program a token of their own, with a role.",
    no_args_is_help=True,
)

NEVER = "never"

Name: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Who has it. The history records decisions under it."),
]


@app.command("create")
def create(
    name: Name,
    role: Annotated[
        Literal["viewer", "labeller", "operator", "promoter", "forcer"],
        typer.Option("--role", help="What it may do; each role includes those before it."),
    ],
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="NAME", help="Only for this model; repeatable. Default: all."
        ),
    ] = None,
    expires: Annotated[
        str,
        typer.Option("--expires", metavar="DURATION", help="How long it is valid, or `never`."),
    ] = "90d",
    as_json: AsJson = False,
) -> None:
    """Create a token and print it. It is shown only now: only its hash is stored."""
    from gnomon.cli.rollout_target import settings_here
    from gnomon.tokens.issued_tokens import create_token

    lifetime = _lifetime(expires)
    settings = settings_here()
    token = create_token(
        name, role, models=models or (), lifetime=lifetime, by=me(), settings=settings
    )
    _print_new(token, as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List all tokens, without their secrets. Those that are expired or revoked are included."""
    from gnomon.cli.console import columns, local, out, print_json
    from gnomon.cli.rollout_target import settings_here
    from gnomon.tokens.issued_tokens import list_tokens

    tokens = list_tokens(settings=settings_here())
    if as_json:
        print_json(tokens)
        return
    table = columns("name", "role", "models", "state", "expires", "changed", "by", whole=("name",))
    for token in tokens:
        table.add_row(
            token.name,
            token.role,
            ", ".join(token.models) or "all",
            token.state,
            "never" if token.expires is None else local(token.expires),
            local(token.changed),
            token.by or "-",
        )
    out.print(table if tokens else "There are no tokens.")


@app.command("rotate")
def rotate(
    name: Name,
    overlap: Annotated[
        timedelta | None,
        typer.Option(
            "--overlap",
            parser=parse_duration,
            metavar="DURATION",
            help="How long the old one is valid too. Default: it ends at once.",
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="DURATION",
            help="How long the new one is valid, or `never`. Default: as long as the old one was.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give a token a new secret and print it. Name, role and models stay."""
    from gnomon.cli.rollout_target import settings_here
    from gnomon.tokens.issued_tokens import rotate_token

    token = rotate_token(
        name,
        overlap=overlap or timedelta(0),
        lifetime="same" if expires is None else _lifetime(expires),
        by=me(),
        settings=settings_here(),
    )
    _print_new(token, as_json)


@app.command("revoke")
def revoke(name: Name, as_json: AsJson = False) -> None:
    """Revoke a token for good. Servers refuse it within two seconds."""
    from gnomon.cli.console import out, print_json
    from gnomon.cli.rollout_target import settings_here
    from gnomon.tokens.issued_tokens import revoke_token

    token = revoke_token(name, by=me(), settings=settings_here())
    if as_json:
        print_json(token)
    else:
        out.print(f"{token.name} is revoked. Servers refuse it within two seconds.", markup=False)


@app.command("whoami")
def whoami(
    model: Model = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Show who the server takes you for, and your role."""
    from gnomon.cli.console import local, out, print_json
    from gnomon.cli.rollout_target import find_target

    target = find_target(url, token, model=model)
    identity = target.whoami()
    if as_json:
        print_json(identity)
    elif identity is None:
        out.print(
            f"{me()}, as your account claims: no server runs, and the commands write to "
            f"{target.place}.",
            markup=False,
        )
    else:
        until = "" if identity.expires is None else f", until {local(identity.expires)}"
        out.print(
            f"{identity.name or me()} ({identity.authenticated}) at {target.place}: "
            f"{identity.role}{until}",
            markup=False,
        )


def _lifetime(expires: str) -> timedelta | None:
    return None if expires == NEVER else parse_duration(expires)


def _print_new(token: NewToken, as_json: bool) -> None:
    """Print a token alone on standard output, for scripts; what else there is to say elsewhere."""
    from gnomon.cli.console import err, out, print_json

    if as_json:
        print_json(token)
        return
    err.print(_description(token), markup=False)
    out.print(token.token, markup=False, soft_wrap=True)


def _description(token: IssuedToken) -> str:
    from gnomon.cli.console import local

    models = "all models" if not token.models else ", ".join(token.models)
    until = "without end" if token.expires is None else f"until {local(token.expires)}"
    return (
        f"The token of {token.name}: {token.role}, {models}, {until}. Set it as GNOMON_TOKEN where "
        "it is used. It is shown only now:"
    )
