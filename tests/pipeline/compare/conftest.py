"""A road whose cracks are known."""

import pytest
from years.two_years import Found, wandering


@pytest.fixture(scope="module")
def road() -> list[Found]:
    return wandering(1, 120, 120.0)
