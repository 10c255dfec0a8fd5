"""The memory of the process that decodes bodies does not grow."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import psutil
import pytest

from gnomon.contract import Decoder
from gnomon.errors import GnomonError
from gnomon.service.lane.codec import Codec
from gnomon.settings import Settings
from tests.log.rows import CONTRACT

PART = b"\n".join([b'{"hour": "late"}'] * 4_000)
BODY = b'{"rows": [%s]}' % b",".join([b'{"hour": 1, "hours": 1}'] * 4_000 + [b"{}"])
ROUNDS = 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["stream", "body"])
def test_refused_records_leave_no_memory(tmp_path: Path, kind: str) -> None:
    """Regression: each bad line left two kilobytes, until the process ran out of memory."""

    async def grown() -> int:
        codec = Codec(Settings(root=str(tmp_path)))
        contract, schema = msgspec.json.encode(CONTRACT), Decoder(CONTRACT).schema
        sizes = []
        for _ in range(ROUNDS):
            if kind == "stream":
                records, *_ = await codec.read_records(contract, schema, PART, "lines")
                assert len(records.refused) == 4_000
            else:
                with pytest.raises(GnomonError):
                    await codec.read(contract, schema, BODY, 10_000)
            await codec.read_records(contract, schema, b'{"hour": 1}', "lines")
            sizes.append(psutil.Process(codec.pid).memory_info().rss)
        await codec.close()
        return max(sizes[2:]) - sizes[1]

    assert asyncio.run(grown()) < 10_000_000
