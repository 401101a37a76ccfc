import pytest
import requests

from geminate.emulator import EmulatorOptions

pytest_plugins = ["geminate.emulator.testing"]


@pytest.fixture
def geminate_emulator_options():
    return EmulatorOptions(manual=True)


def test_the_fixture_gives_a_started_emulator_with_the_tests_options(geminate_emulator):
    assert requests.get(geminate_emulator.url, timeout=5).json()["emulator"] == "geminate"
    assert geminate_emulator.step() == 0
    assert geminate_emulator.buckets.is_dir()
