"""A few seconds of what `benchmarks/fuzz.py` does for long: the same inputs every time."""

import random
from collections.abc import Iterator
from itertools import islice

import pytest

from benchmarks import fuzz_models, fuzz_reader, fuzz_rewrites
from benchmarks.fuzz_choices import Choices
from benchmarks.fuzz_operators import operators
from benchmarks.fuzz_reports import reports


def noise(seed: int, count: int, most: int = 500) -> Iterator[bytes]:
    """Random bytes, of which the generators make their choices."""
    rng = random.Random(seed)
    for _ in range(count):
        yield rng.randbytes(rng.randrange(most))


def test_the_reader_takes_any_bytes() -> None:
    for number, seed in enumerate(islice(fuzz_reader.seeds(), 12, 72)):
        for turn in range(5):
            fuzz_reader.reader(fuzz_reader.mutated(seed, 1 << 16, 100 * number + turn))


def test_mutations_are_what_their_seed_says() -> None:
    seed = next(fuzz_reader.seeds())
    fuzz_reader.reader(seed)
    altered = [fuzz_reader.mutated(seed, 1 << 16, number) for number in range(20)]
    assert altered == [fuzz_reader.mutated(seed, 1 << 16, number) for number in range(20)]
    assert len(set(altered) - {seed}) > 10


def test_any_operators_have_a_cost_or_a_reason() -> None:
    for data in noise(1, 300):
        operators(data)


def test_any_report_is_well_formed() -> None:
    for data in noise(2, 120, most=900):
        reports(data)


def test_valid_models_have_all_costs() -> None:
    for data in noise(3, 60):
        fuzz_models.models(data)


def test_valid_models_are_of_many_operators() -> None:
    made = [fuzz_models.valid_model(data) for data in noise(4, 60)]
    known = {node.op_type for model in made for node in model.graph.node}
    assert {"Conv", "Concat", "Split", "Reshape", "Gemm", "If", "Loop"} <= known
    assert known & {"LSTM", "GRU", "RNN"}
    assert len(known) >= 35


def test_attribution_loses_nothing() -> None:
    pytest.importorskip("onnxruntime")
    for data in noise(5, 25):
        fuzz_models.attribution(data)


def test_disfigured_units_are_refused_or_rewritten() -> None:
    for data in noise(6, 150):
        fuzz_rewrites.rewrites(data)


def test_every_plan_is_tried_on_units() -> None:
    """Where nothing disfigures them, some are rewritten by each: the fuzzing sees all of it."""
    rewrites = fuzz_rewrites.REWRITES
    left = {(name, plan) for name, rewrite in rewrites.items() for plan in rewrite.plans}
    for data in noise(7, 60):
        model = fuzz_rewrites.units(Choices(data))
        left -= {one for one in left if fuzz_rewrites.rewritten(model, rewrites[one[0]], one[1])}
    assert not left


def test_choices_run_out_quietly() -> None:
    choices = Choices(b"\x05")
    assert choices.number(0, 9) == 5
    assert choices.left == 0
    assert choices.number(3, 9) == 3
    assert choices.one("ab") == "a"
    assert not choices.chance(2)
    assert choices.some("ab", 3) == []
