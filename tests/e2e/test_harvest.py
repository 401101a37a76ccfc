"""Jobs that end before their work is done: what they finished counts, and only the rest is asked again."""

import pytest

import geminate as gm
from geminate.emulator import Emulator, EmulatorOptions

SPEC = gm.Spec.from_prompt("gemini-3.5-flash", "Rate {{ word }}.")
ENDS = ["FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"]
FILES = [{}, {"output_files": 3}, {"incremental": True}, {"incremental": True, "final_files": False}]


@pytest.mark.parametrize("files", FILES)
@pytest.mark.parametrize("end", ENDS)
def test_what_a_job_finished_before_its_end_counts_and_the_rest_is_retried(tmp_path, end, files):
    faults = {"jobs": [{"display_name": "*-1", "end": end, "after": 0.5, **files}]}
    prompts = [{"key": f"k{number}", "word": f"word {number}"} for number in range(20)]
    with Emulator(tmp_path / "emulator", EmulatorOptions(faults=faults, rows_per_move=4)) as emulator:
        (emulator.buckets / "bucket").mkdir()
        where = gm.Where(endpoint=emulator.url, buckets_path=emulator.buckets)
        run = gm.Run.create(tmp_path / "run", prompts, SPEC)
        run.submit(gm.Target(where, "gs://bucket/staging"))
        assert [job.state for job in run.wait()] == [f"JOB_STATE_{end}"]
        assert run.collect(tmp_path / "half.parquet").outcomes == {"ok": 10, "missing": 10}
        assert run.retry().rows == 10
        run.wait()
        assert run.collect(tmp_path / "whole.parquet").outcomes == {"ok": 20}
