"""A log has the same lines however the steps were cut into chunks, and survives a resume."""

import json

import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.training import NonFiniteError
from lecture_optax.training.loop.run import History, Run
from lecture_optax.training.reporting import log

from ..models import TRAIN, VALID, LinenNet
from .test_progress import events

TX = lo.sgd(lo.schedules.linear(0.1, 250))


@pytest.fixture(scope="module")
def lines_and_result():
    lines = []
    result = lo.fit(
        LinenNet(),
        TRAIN,
        loss="cross_entropy",
        valid=VALID,
        tx=TX,
        steps=250,
        evaluations=[0, 75, 249],
        log=lambda step, values: lines.append((step, values)),
    )
    return lines, result


def test_a_line_stands_at_every_hundredth_of_a_run_and_at_every_evaluation(lines_and_result):
    lines, _ = lines_and_result
    assert [step for step, _ in lines] == sorted({*range(0, 251, 2), 75, 249})


def test_a_line_has_the_mean_loss_since_the_last_one_and_what_the_step_did(lines_and_result):
    lines, result = lines_and_result
    losses, by_step = result.history["loss"], dict(lines)
    np.testing.assert_allclose(by_step[10]["loss"], losses[8:10].mean(), rtol=1e-6)
    np.testing.assert_allclose(by_step[75]["loss"], losses[74], rtol=1e-6)
    for name in ("grad_norm", "update_norm", "update_ratio", "learning_rate"):
        assert by_step[100][name] == result.history[name][99]


def test_a_line_at_a_evaluation_has_what_was_seen_there(lines_and_result):
    lines, result = lines_and_result
    by_step = dict(lines)
    assert set(by_step[0]) == {"valid_loss", "valid_accuracy"}
    for step, loss in zip([0, 75, 249, 250], result.history["valid_loss"], strict=True):
        assert by_step[step]["valid_loss"] == loss
    assert "valid_loss" not in by_step[74]


def written(path, *steps):
    with log.log_to(path) as (hook,):
        for event in events(*steps):
            hook(event)
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_lines_do_not_depend_on_the_chunks(tmp_path):
    one = written(tmp_path / "one.jsonl", 0, 100)
    assert one == [*range(101)]
    assert written(tmp_path / "other.jsonl", 0, 3, 31, 64, 100) == one


def test_a_resumed_run_goes_on_in_its_file_without_lines_that_stand_twice(tmp_path):
    path = tmp_path / "folder" / "run.jsonl"
    assert written(path, 0, 60) == [*range(61)]
    path.write_text(path.read_text() + '{"step": 61, "lo')  # cut off by a kill
    assert written(path, 40, 100) == [*range(101)]


def test_another_run_starts_its_file_anew(tmp_path):
    written(tmp_path / "run.jsonl", 0, 100)
    assert written(tmp_path / "run.jsonl", 0, 10) == [*range(11)]


def test_a_folder_is_for_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c  # noqa: F401, the format below is its

    with log.log_to(tmp_path / "board") as (hook,):
        for event in events(0, 100):
            hook(event)
    (path,) = (tmp_path / "board").iterdir()
    data, scalars = path.read_bytes(), {}
    while data:  # length (8 bytes), its sum (4), the event, its sum (4)
        length = int.from_bytes(data[:8], "little")
        event = Event.FromString(data[12 : 12 + length])
        scalars |= {(event.step, v.tag): v.simple_value for v in event.summary.value}
        data = data[16 + length :]
    assert scalars[100, "loss"] == 0.5
    np.testing.assert_allclose(scalars[100, "valid_loss"], 0.7, rtol=1e-6)


def test_log_says_what_it_takes():
    with pytest.raises(TypeError, match=r"log must be a function of \(step, dict\), .* got 3\."):
        log.log_to(3).__enter__()


def test_what_a_log_opens_is_closed_when_the_run_breaks(tmp_path):
    path = tmp_path / "run.jsonl"
    with pytest.raises(KeyboardInterrupt), log.log_to(path) as (hook,):
        for event in events(0, 20, 40):
            hook(event)
            if event.step == 20:
                raise KeyboardInterrupt
    assert len(path.read_text().splitlines()) == 21
    with pytest.raises(ValueError, match="closed file"):
        hook.write(40, {})


def test_the_last_line_holds_what_was_not_finite(tmp_path):
    path, (start, later) = tmp_path / "run.jsonl", events(0, 40)

    class Stopped(Run):
        step, steps, history = 45, 100, History([{"loss": np.ones(45)}])

        def __init__(self):
            pass

    with pytest.raises(NonFiniteError), log.log_to(path) as (hook,):
        hook(start)
        hook(later)
        raise NonFiniteError("", Stopped(), 45, "grad_norm")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [*range(47)]
    assert list(lines[-2]) == ["step", "loss"]
    assert np.isnan(lines[-1]["grad_norm"])
