"""The decision whether a caller may do something, from the request's credential."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gnomon.errors import Forbidden, Unauthorized
from gnomon.rollout.actor import Actor, token_name
from gnomon.service.access.bearer import bearer, invalid_token, is_secret
from gnomon.service.access.identity import CONTROL, Identity
from gnomon.service.access.proxies import Proxies
from gnomon.service.access.refusals import Refusals
from gnomon.service.http.asgi import Scope
from gnomon.tokens.known_tokens import KnownTokens
from gnomon.tokens.roles import Role
from gnomon.tokens.token_text import TokenText

__all__ = ["REFRESH_SECONDS", "Access"]

REFRESH_SECONDS = 2.0
"""How often a server looks for tokens that were created, rotated or revoked."""
LOOK_AGAIN_SECONDS = 0.5
"""An unknown token may be a new one, but guesses must not cause more than two reads a second."""
HINT = (
    "send `Authorization: Bearer TOKEN` with a token of `gnomon token create`, or with the control "
    "token: that of GNOMON_CONTROL_TOKEN, or of the file control.token in the storage root"
)


class Access:
    """Finds out who sends a request, and refuses those whose role does not suffice.

    Args:
        model: the model of this deployment.
        control_token: the token that has every role.
        tokens: the named tokens.
        proxies: the proxies whose users are known.
        refusals: logs and counts those who are refused.

    Attributes:
        refusals: as given.
    """

    def __init__(
        self,
        model: str,
        control_token: str,
        tokens: KnownTokens,
        proxies: Proxies,
        refusals: Refusals,
    ) -> None:
        self.refusals = refusals
        self._proxies = proxies
        self._model = model
        self._control_token = control_token
        self._tokens = tokens
        self._looked_at = -LOOK_AGAIN_SECONDS
        self._looking = asyncio.Lock()

    async def authorize(self, scope: Scope, role: Role) -> Identity:
        """Return who sends a request, if they may do what needs a role.

        Raises:
            Unauthorized: the request has no valid credential.
            Forbidden: the caller's role does not include this one, or it is for other models.
            StorageError: the token is unknown here, and the storage root cannot be read.
        """
        with self.refusing(scope, f"the role {role}"):
            caller = await self.identify(scope)
            caller.require(role, scope["path"])
        return caller

    @contextmanager
    def refusing(self, scope: Scope, needed: str) -> Iterator[None]:
        """Log and count a refusal of the caller, which is raised in this block."""
        try:
            yield
        except (Unauthorized, Forbidden) as error:
            self.refusals.add(scope, error, needed)
            raise

    async def identify(self, scope: Scope) -> Identity:
        """Return who sends a request.

        A user that a proxy names comes first: the proxy has authenticated them, and may send a
        token of its own in ``Authorization``.

        Raises:
            Unauthorized, Forbidden, StorageError: as :meth:`authorize`.
        """
        user = self._proxies.identity(scope)
        if user is not None:
            return user
        presented = bearer(scope, hint=HINT)
        text = TokenText.parse(presented)
        if text is not None:
            return await self._named(text)
        if is_secret(presented, self._control_token):
            return CONTROL
        raise invalid_token(HINT)

    def check_actor(self, actor: Actor) -> None:
        """Check that who asked for a decision may still take it: that takes effect later.

        Raises:
            Unauthorized: their token has been revoked since, or has expired.
        """
        if (name := token_name(actor.authenticated)) is not None:
            self._tokens.check_name(name)

    async def refresh(self) -> None:
        """Look for changes of tokens, and report refusals that were not logged."""
        self._looked_at = time.monotonic()
        self.refusals.report()
        await asyncio.to_thread(self._tokens.refresh)

    async def _named(self, text: TokenText) -> Identity:
        if not self._tokens.knows(text):
            await self._look_again()  # It may have been created since.
        record = self._tokens.check(text)
        if record is None:
            raise invalid_token(HINT)
        if record.models and self._model not in record.models:
            raise Forbidden(
                f"the token `{record.name}` is for {', '.join(record.models)}, not for "
                f"{self._model}",
                where="Authorization",
                hint=f"create one for it: gnomon token create NAME --model {self._model}",
            )
        return Identity(
            name=record.name,
            authenticated=f"token {record.name}",
            role=record.role,
            expires=record.expires,
        )

    async def _look_again(self) -> None:
        """Look for new tokens, unless another request has begun to since this one arrived."""
        arrived = time.monotonic()
        async with self._looking:
            if self._looked_at < arrived:
                await asyncio.sleep(self._looked_at + LOOK_AGAIN_SECONDS - time.monotonic())
                await self.refresh()
