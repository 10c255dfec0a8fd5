"""What must hold after every fault: no acknowledged request is missing, and the accounts
balance.
"""

from __future__ import annotations

from collections import Counter

from gnomon.log import InferenceLog
from gnomon.service.status.slice_status import RowAccounts
from gnomon.shadow.accounts.accounts import LogAccounts
from gnomon.shadow.accounts.balance import balance
from gnomon.testing import Server
from tests.load import Load, until

OUTCOMES = ("answered", "rejected", "failed", "timed_out", "shed")


class Accounts:
    """A server's accounts from now on: the gateway's count, the log's, and what clients saw.

    Attributes:
        found: those in the log as they were last read; they balance.
    """

    found: LogAccounts

    def __init__(self, server: Server) -> None:
        self._server = server
        self._log = InferenceLog(server.settings, "toy")
        self._serves_unlogged = server.settings.log_failure == "serve"
        self._counted = counted(self._books())
        self._logged = self._outcomes()

    def check(self, seen: Load, *, restarted: bool = False) -> Counter[str]:
        """Hold the log to laws 2 and 5; return what happened since, by outcome and by reason.

        Args:
            seen: what clients saw meanwhile.
            restarted: the gateway that counted is gone, so that only the log tells.

        Raises:
            AssertionError: the log's accounts do not balance, or differ from the gateway's; or an
                answer that a client has is not in the log once, with its prediction.
        """
        since = Counter() if restarted else counted(self._books()) - self._counted
        logged = self._outcomes() - self._logged
        missing = self._missing(seen)
        if restarted:
            assert missing == 0
            return logged
        assert since["received"] == sum(since[outcome] for outcome in OUTCOMES)
        assert sum(logged.values()) == since["received"] - since["unlogged"]
        assert missing == (since["unlogged"] if self._serves_unlogged else 0)
        if not since["unlogged"]:
            assert logged == Counter({name: since[name] for name in OUTCOMES if since[name]})
        return since

    def _books(self) -> RowAccounts:
        with self._server.client() as control:
            until(lambda: control.status().accounts.in_flight == 0, "every request is settled")
            return control.status().accounts

    def _outcomes(self) -> Counter[str]:
        self.found = balance(self._log)
        assert self.found.balanced, self.found.explain()
        return Counter(self.found.live.outcomes)

    def _missing(self, seen: Load) -> int:
        """How many of the clients' answers are not in the log; the others are as logged there."""
        columns = ["request_id", "row", "output_prediction", "artifact"]
        rows = self._log.table(columns=columns, role="live", outcome="answered")
        assert rows.group_by(["request_id", "row"]).aggregate([]).num_rows == rows.num_rows
        if not seen.acknowledged:
            return 0
        logged = {row["request_id"]: row for row in rows.to_pylist()}
        for request in logged.keys() & seen.acknowledged.keys():
            row, answer = logged[request], seen.acknowledged[request]
            assert row["output_prediction"] == answer["prediction"]
            assert row["artifact"] == answer["artifact"]
        return len(seen.acknowledged.keys() - logged.keys())


def counted(books: RowAccounts) -> Counter[str]:
    """The gateway's accounts, flat: outcomes, reasons, received and unlogged."""
    return Counter(
        {
            "received": books.received,
            "unlogged": books.unlogged,
            **{outcome: getattr(books, outcome) for outcome in OUTCOMES},
            **books.reasons,
        }
    )
