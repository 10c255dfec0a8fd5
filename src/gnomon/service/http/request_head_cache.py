"""A cache of parsed request heads: most clients send the same head again and again."""

from __future__ import annotations

from gnomon.service.http.request_head import Head

__all__ = ["RequestHeadCache"]

MOST_HEADS = 512
"""The most heads remembered; one more clears the cache."""
MOST_BYTES = 4_096
"""The longest head remembered."""
REQUEST_ID = b"x-request-id"


class RequestHeadCache(dict[bytes, Head]):
    """The heads of plain requests by their lasting bytes.

    See :func:`gnomon.service.http.request_head.lasting`.

    A remembered head does not contain the request id, which is new in each request.
    """

    def remember(self, block: bytes, head: Head) -> None:
        """Remember a head by its lasting bytes, unless it is long."""
        if len(block) > MOST_BYTES:
            return
        headers = [(name, value) for name, value in head.headers if name != REQUEST_ID]
        if len(self) >= MOST_HEADS:
            self.clear()
        self[block] = head._replace(client_id=None, headers=headers)
