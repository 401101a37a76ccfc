"""What a build tells."""

from geminate.emulator import Emulator

MODEL = ("--model", "gemini-3.5-flash")
SPEC = (*MODEL, "--prompt", "Rate {{ word }}.")


def test_equal_requests_for_lack_of_a_slot_are_told(geminate, prompts):
    told = "every prompt sends the same request"
    assert told in geminate("build", prompts, *MODEL, "--prompt", "Rate it.", "--out", "same.run").err
    assert told not in geminate("build", prompts, *SPEC, "--out", "words.run").err
    one = geminate("build", prompts, *MODEL, "--prompt", "Rate it.", "--limit", 1, "--out", "one.run")
    assert told not in one.err


def test_where_the_shards_lie_is_told(geminate, prompts, tmp_path):
    with Emulator(tmp_path / "emulator") as emulator:
        (emulator.buckets / "bucket").mkdir()
        options = ("--shard-rows", 2, "--buckets", emulator.buckets, "--endpoint", emulator.url)
        told = geminate("build", prompts, *SPEC, *options, "--out", "gs://bucket/words").err
        document = geminate("build", prompts, *SPEC, *options, "--out", "gs://bucket/others", "--json").document
    first, second = (shard["uri"] for shard in document["shards"])
    assert first.startswith("gs://bucket/others/")
    assert (emulator.buckets / second.removeprefix("gs://")).is_file()
    assert "request lines: gs://bucket/words/" in told
    assert "requests-00000.jsonl, and 1 more" in told
