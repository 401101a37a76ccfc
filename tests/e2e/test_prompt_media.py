"""Pictures, sounds and papers through the command, the emulator and back."""

import json

import pytest

COMMAND = ("run", "p.csv", "--model", "gemini-3.5-flash", "--prompt", "What?", "--media-column", "photo")
SUFFIXES = ("png", "jpg", "webp", "pdf", "wav", "mp4", "txt")


@pytest.fixture
def prompts(tmp_path, media_bytes):
    for suffix, data in media_bytes.items():
        (tmp_path / f"a.{suffix}").write_bytes(data)
    names = [*(f"a.{suffix}" for suffix in SUFFIXES), "gs://bucket/b.png", "https://example.com/c.png", "a.png"]
    (tmp_path / "p.csv").write_text("photo\n" + "".join(f"{name}\n" for name in names))


def outcomes(path):
    return [json.loads(line)["gemini_outcome"] for line in path.read_text().splitlines()]


@pytest.mark.usefixtures("prompts")
def test_every_kind_comes_back(geminate, tmp_path):
    finished = geminate(*COMMAND, "--emulate", "-o", "rows.jsonl", code=3)
    assert outcomes(tmp_path / "rows.jsonl") == ["ok"] * 8 + ["rejected", "ok"]
    assert "media: 8 inline" in finished.stderr
    geminate("check", "rows.jsonl.run/requests-00000.jsonl")
    geminate("verify", "rows.jsonl.run")


@pytest.mark.usefixtures("prompts")
def test_media_go_to_the_emulated_bucket_and_the_run_goes_on_there_only(geminate, tmp_path):
    command = (*COMMAND, "--max-image-edge", 16, "--emulate", "-o", "rows.jsonl")
    finished = geminate(*command, "--upload", "gs://pictures/below", code=3)
    assert "media: 7 uploaded" in finished.stderr
    assert "4 scaled down" in finished.stderr
    assert outcomes(tmp_path / "rows.jsonl") == ["ok"] * 8 + ["rejected", "ok"]
    names = {path.name for path in (tmp_path / "rows.jsonl.run/emulator/buckets/pictures/below").iterdir()}
    assert {name.partition(".")[2] for name in names} == set(SUFFIXES)
    lines = (tmp_path / "rows.jsonl.run/requests-00000.jsonl").read_text().splitlines()
    uris = {json.loads(line)["request"]["contents"][0]["parts"][0]["fileData"]["fileUri"] for line in lines}
    assert {f"gs://pictures/below/{name}" for name in names} < uris
    (tmp_path / "a.png").write_bytes(b"changed")
    geminate(*command, "--upload", "gs://pictures/below", code=3)
    assert "where media are uploaded to" in geminate(*command, "--upload", "gs://pictures/other", code=5).stderr


@pytest.mark.usefixtures("prompts")
def test_options_that_do_not_go_together_are_said(geminate, tmp_path):
    (tmp_path / "spec.yaml").write_text("model: m\nrequest: {contents: [{parts: ['{{ photo | part }}']}]}\n")
    finished = geminate("build", "p.csv", "--spec", "spec.yaml", "--media-column", "photo", "--out", "run", code=2)
    assert "write {{ COL | part }}" in finished.stderr
    prompt = ("--model", "gemini-3.5-flash", "--prompt", "What?")
    finished = geminate("build", "p.csv", *prompt, "--max-image-edge", 7, "--out", "run", code=2)
    assert "--max-image-edge goes with --media-column" in finished.stderr
