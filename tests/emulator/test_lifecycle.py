import signal
import subprocess
import sys
import threading

import pytest
import requests

from geminate.emulator import Emulator, EmulatorOptions
from geminate.errors import UsageError

from .conftest import prompt

SERVE = (
    "import sys; from pathlib import Path; from geminate.emulator import *; "
    "serve(Path(sys.argv[1]), EmulatorOptions(), announce=lambda text: print(text, flush=True))"
)


def test_a_folder_is_served_once(tmp_path):
    with Emulator(tmp_path):
        with pytest.raises(UsageError, match="another emulator serves this folder"):
            Emulator(tmp_path).start()
        ended = subprocess.run(
            [sys.executable, "-c", SERVE, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert ended.returncode != 0
        assert "another emulator serves this folder" in ended.stderr
    with Emulator(tmp_path):
        pass


def test_it_can_be_started_again(tmp_path):
    emulator = Emulator(tmp_path)
    emulator.start()
    with pytest.raises(UsageError, match="already"):
        emulator.start()
    emulator.stop()
    emulator.stop()
    with pytest.raises(UsageError, match="not started"):
        _ = emulator.url
    with emulator:
        assert requests.get(emulator.url, timeout=5).ok


def test_a_taken_port_leaves_the_folder_free(tmp_path):
    with Emulator(tmp_path / "a") as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(UsageError, match=f"port {port} cannot be had.*--port"):
            Emulator(tmp_path / "b", EmulatorOptions(port=port)).start()
    with Emulator(tmp_path / "b", EmulatorOptions(port=port)) as second:
        assert second.url == f"http://127.0.0.1:{port}"


def test_open_connections_and_running_jobs_do_not_hold_it_up(emulate):
    client = emulate(row_latency_s=60)
    name = client.create([prompt("a")])
    client.job(name)
    client.emulator.stop()
    assert not [thread for thread in threading.enumerate() if "emulator" in thread.name]


def test_the_time_of_a_started_emulator_moves_on_and_never_back(client, tmp_path):
    assert client.emulator.step(0) == 0
    for seconds in (-1, float("inf"), float("nan")):
        with pytest.raises(UsageError, match="cannot move on"):
            client.emulator.step(seconds)
    with pytest.raises(UsageError, match="not started"):
        Emulator(tmp_path / "other", EmulatorOptions(manual=True)).step()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_ends_with_a_signal(tmp_path, number):
    command = [sys.executable, "-W", "error", "-c", SERVE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        told = process.stdout.readline()
        assert requests.get(url, timeout=5).json()["buckets"] in told
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""
