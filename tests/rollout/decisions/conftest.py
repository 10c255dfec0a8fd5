import pytest

from tests.packing import HALF_MORE, Pack, times


@pytest.fixture
def live(pack: Pack) -> str:
    return pack(times(1.0))


@pytest.fixture
def candidate(pack: Pack) -> str:
    return pack(HALF_MORE)
