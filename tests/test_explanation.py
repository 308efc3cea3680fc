"""What `explain` says is what the alignment did."""

import json
from pathlib import Path

import pytest

import dedup
from dedup.explanation import explain

SEEDS = sorted((Path(__file__).parents[1] / "seeds").glob("*.txt"))
STAGES = ["tokenise", "weigh", "candidate", "seed", "chain", "sentences", "passage", "relation"]


def inside(inner, outer):
    return outer[0] <= inner[0] and inner[1] <= outer[1] and outer[2] <= inner[2] and inner[3] <= outer[3]


@pytest.mark.parametrize(("one", "other"), [(0, 1), (0, 2), (3, 4), (1, 4)])
def test_steps_agree_with_the_comparison(one, other):
    found = dedup.compare(SEEDS[one].read_text("utf-8"), SEEDS[other].read_text("utf-8"))
    steps = explain(found)
    assert [stage for stage in STAGES if any(step.stage == stage for step in steps)] == list(
        dict.fromkeys(step.stage for step in steps)
    )
    told = [step for step in steps if step.stage == "passage"]
    places = [(p.left_start, p.left_end, p.right_start, p.right_end) for p in found.passages]
    assert [step.places for step in told] == places
    copies = [
        place for place, p in zip(places, found.passages, strict=True) if p.kind in {"copy", "template"}
    ]
    chains = [step for step in steps if step.stage == "chain"]
    for step in chains:
        if step.outcome == "kept":
            assert any(inside(step.places, copy) for copy in copies)
    kept = [step.places for step in steps if step.stage in {"chain", "sentences"} and step.outcome == "kept"]
    assert bool(kept) == bool(copies)
    for copy in copies:  # every copy comes from a chain or a fragment that was kept
        assert any(min(copy[1], p[1]) > max(copy[0], p[0]) for p in kept)
    assert found.relation in next(step for step in steps if step.stage == "relation").reason


def test_nothing_in_common():
    steps = explain(dedup.compare("One two three four five six seven.", "Eight nine ten eleven twelve."))
    outcomes = {step.stage: step.outcome for step in steps}
    assert outcomes["candidate"] == outcomes["seed"] == outcomes["sentences"] == "none"
    assert explain(dedup.compare("", ""))[-2].reason.startswith("unrelated")


def test_brief_texts():
    text = "one two three four five six seven eight nine ten eleven twelve"
    reasons = [
        step.reason for step in explain(dedup.compare(text, f"{text} thirteen")) if step.stage == "candidate"
    ]
    assert reasons[0] == "8 shared fingerprints, of 8 in the shorter one"
    assert reasons[-1] == "no bands: left and right so brief that all shingles are fingerprints"


def test_command(capsys):
    from dedup.cli import main

    paths = [str(SEEDS[0]), str(SEEDS[1])]
    main(["compare", *paths, "--explain"], standalone_mode=False)
    said = capsys.readouterr().out
    assert "a shared fingerprint" in said
    assert "words of evidence" in said
    main(["compare", *paths, "--explain", "--format", "json"], standalone_mode=False)
    steps = json.loads(capsys.readouterr().out)["explanation"]
    assert {step["stage"] for step in steps} == set(STAGES)
