def test_equal_requests_are_sent_once_and_said_to_be(geminate, tmp_path):
    (tmp_path / "p.csv").write_text("key,word\na,dull\nb,dull\nc,loud\nd,dull\n")
    spec = ("--model", "gemini-3.5-flash", "--prompt", "Rate {{ word }}.")
    built = geminate("build", "p.csv", *spec, "--dedupe", "--out", "run", "--json").document
    assert (built["prompts"], built["requests"], built["followers"], built["rejected"]) == (4, 2, 2, 0)
    assert geminate("estimate", "run", "--json").document["requests"] == 2
    finished = geminate("run", "p.csv", *spec, "--dedupe", "--emulate", "-o", "rows.jsonl", "--json")
    assert finished.code == 0
    assert (finished.document["rows"], finished.document["fanned_out"], finished.document["lines"]) == (4, 2, 2)
    other = geminate("run", "p.csv", *spec, "--emulate", "-o", "rows.jsonl")
    assert (other.code, "equal requests" in other.err) == (5, True)
    again = geminate("run", "p.csv", *spec, "--dedupe", "--emulate", "-o", "rows.jsonl", "--overwrite")
    assert again.code == 0
    assert "2 prompts beside them" in again.err
    assert "share the prediction of an equal request" in again.err
