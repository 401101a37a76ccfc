import errno
import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from geminate.errors import GeminateError
from geminate.pipeline.predicted.workers import LARGE_BYTES, DecodeWorkers, count_workers
from geminate.stages.predictions import iter_prediction_batches
from geminate.stages.reading import ReadOptions
from geminate.wire.lines import iter_line_blocks

LINES = [json.dumps({"key": f"k{at}", "status": "", "response": {"x": "y" * at}}) for at in range(300)]
DATA = "\n".join([*LINES, "broken", '"\\ud800"', "end"]).encode()


def blocks(data=DATA):
    return iter_line_blocks(data[at : at + 1000] for at in range(0, len(data), 1000))


def seen(decoded):
    return [(block.source, block.block, block.predictions.to_pylist(), block.unreadable) for block in decoded]


@dataclass(frozen=True)
class NotHere:
    """An answer schema that pickles, and that no other process can load."""

    arrow_type: pa.DataType | None = None

    def judge_texts(self, texts):
        return SimpleNamespace(answers=texts, problems=[None] * len(texts), repairs=[None] * len(texts))


class NotAnywhere(NotHere):
    def __reduce__(self):
        raise TypeError("stays here")


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("answer", [None, NotHere(), NotAnywhere()])
def test_the_same_comes_out_in_the_same_order(count, answer):
    reading = ReadOptions(fingerprints="all", answer=answer)
    expected = seen(iter_prediction_batches(blocks(), source="f", reading=reading))
    with DecodeWorkers(reading, count) as workers:
        assert seen(workers.iter_decoded(blocks(), "f")) == expected
        assert seen(workers.iter_decoded(blocks(DATA[:5000]), "g"))[0][0] == "g"


def test_stopping_early_ends_the_processes():
    with DecodeWorkers(ReadOptions(), 1) as workers:
        next(workers.iter_decoded(blocks(), "f"))
        processes = workers.process_ids
    assert all(not Path(f"/proc/{process}").exists() for process in processes)


@pytest.fixture
def started(monkeypatch):
    """The processes that were started; a third one meets what is put in the list's place."""
    start, processes, trouble = subprocess.Popen, [], []

    def run_out(*args, **named):
        if len(processes) == 2:
            raise trouble[0]
        processes.append(start(*args, **named))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", run_out)
    return processes, trouble


def test_without_room_for_all_processes_threads_decode_and_no_process_stays(started):
    processes, trouble = started
    trouble.append(BlockingIOError(errno.EAGAIN, "no more processes"))
    expected = seen(iter_prediction_batches(blocks(), source="f", reading=ReadOptions()))
    with DecodeWorkers(ReadOptions(), 3) as workers:
        assert (workers.process_ids, [process.poll() for process in processes]) == ([], [0, 0])
        assert seen(workers.iter_decoded(blocks(), "f")) == expected


def test_an_interrupt_while_processes_are_started_leaves_none(started):
    processes, trouble = started
    trouble.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        DecodeWorkers(ReadOptions(), 3)
    assert [process.poll() for process in processes] == [0, 0]


def test_a_worker_that_dies_is_an_error():
    with DecodeWorkers(ReadOptions(), 1) as workers:
        os.kill(workers.process_ids[0], signal.SIGKILL)
        with pytest.raises(GeminateError, match="worker process ended"):
            list(workers.iter_decoded(blocks(), "f"))


@pytest.mark.parametrize("cores, workers", [(1, 0), (2, 0), (4, 3), (8, 7)])
def test_only_large_inputs_on_enough_cores_are_worth_processes(monkeypatch, cores, workers):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert (count_workers(LARGE_BYTES - 1), count_workers(LARGE_BYTES)) == (0, workers)
