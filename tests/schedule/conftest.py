"""What tests of schedules share: workspaces that clean up, and one PostgreSQL server with a place for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.schedule.houses import Lab
from tests.services import PostgresServer


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Give a maker of workspaces with schedules."""
    made: list[Lab] = []

    def make(*templates: str, **options: Any) -> Lab:
        lab = Lab(tmp_path / f"lab-{len(made)}", *templates, **options)
        made.append(lab)
        return lab

    yield make
    for lab in made:
        lab.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Give a server that all tests of this process share."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """Give the address of an empty place for tables."""
    return postgres.new_place()
