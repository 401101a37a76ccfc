"""A pytest fixture for pipelines that talk to Vertex AI batch prediction.

Name the module in a ``conftest.py``, and take the fixture::

    pytest_plugins = ["geminate.emulator.testing"]

    def test_pipeline(geminate_emulator):
        (geminate_emulator.buckets / "input").mkdir()
        run_pipeline(endpoint=geminate_emulator.url)

To change how it behaves, define a fixture ``geminate_emulator_options`` of your own::

    @pytest.fixture
    def geminate_emulator_options():
        return EmulatorOptions(faults={"rows": [{"status": "RESOURCE_EXHAUSTED", "rate": 0.1}]})

Hours pass when a test says so: ``geminate_emulator.step(3600)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from geminate.emulator.lifecycle import Emulator
from geminate.emulator.options import EmulatorOptions


@pytest.fixture
def geminate_emulator_options() -> EmulatorOptions:
    """How the emulator of ``geminate_emulator`` behaves: the defaults."""
    return EmulatorOptions()


@pytest.fixture
def geminate_emulator(tmp_path: Path, geminate_emulator_options: EmulatorOptions) -> Iterator[Emulator]:
    """A started emulator of the test's own, on a folder in ``tmp_path``."""
    with Emulator(tmp_path / "emulator", geminate_emulator_options) as emulator:
        yield emulator
