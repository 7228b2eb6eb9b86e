"""Logs of other tools: which columns are read, where runs begin, and what is refused."""

import json
import struct

import numpy as np
import pytest

from lecture_optax.recipe import diagnose
from lecture_optax.recipe.diagnosis.logs.columns import Columns
from lecture_optax.recipe.diagnosis.logs.rates import largest_rate
from lecture_optax.recipe.diagnosis.logs.read_log import read_log

LOSSES = [2.0, 1.5, 1.25, 1.125]


@pytest.fixture
def log(tmp_path):
    """Write a text or bytes to a file and return its runs."""

    def read(text, columns=None, name="log"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_log(path, columns)

    return read


def only(runs):
    (run,) = runs
    return run


def table(header, rows, mark=","):
    return "\n".join([header, *(mark.join(map(str, row)) for row in rows)]) + "\n"


def numbered(losses=LOSSES, first=1):
    return list(enumerate(losses, first))


class TestColumns:
    @pytest.mark.parametrize(
        "header",  # with the columns of the step, the loss, the validation loss and the rate
        [
            "epoch,accuracy,loss,lr,val_accuracy,val_loss > epoch,loss,val_loss,lr",
            "epoch,step,train_loss_epoch,train_loss_step,val_loss,lr-Adam"
            " > step,train_loss_step,val_loss,lr-Adam",
            "Step,Loss/train,Loss/valid,Learning Rate > Step,Loss/train,Loss/valid,Learning Rate",
            "_step,train/loss,eval/loss,train/learning_rate,train/grad_norm"
            " > _step,train/loss,eval/loss,train/learning_rate",
            "_step,train/loss,train/global_step > train/global_step,train/loss,,",
            "iteration,trainLoss,testLoss > iteration,trainLoss,testLoss,",
            "epoch,train_loss,valid_loss,test_loss > epoch,train_loss,valid_loss,",
            "      epoch,   loss_train,  loss_val ,time > epoch,loss_train,loss_val,",
            "epoch,total_loss,box_loss,val_box_loss,weight_decay > epoch,total_loss,,",
        ],
    )
    def test_the_names_of_known_tools_are_found(self, log, header):
        header, expected = header.split(" > ")
        names = [x.strip() for x in header.split(",")]
        step = expected.split(",")[0]
        rows = [[i if x == step else i + k / 8 for k, x in enumerate(names, 1)] for i in (1, 2, 3)]
        chosen = only(log(table(header, rows))).columns
        found = chosen.step, chosen.loss, chosen.valid_loss, chosen.rate
        assert ",".join(found) == expected

    def test_rows_are_counted_only_if_no_column_counts_something_else(self, log):
        assert only(log(table(",loss,acc", [[0, 2.0, 0.1], [1, 1.0, 0.2]]))).unit == "line"
        for header, first in (("generation,loss", [1, 1, 2]), ("epoch,loss", [0, 0, 0])):
            text = table(header, [[x, 1 / k] for k, x in enumerate(first, 1)])
            with pytest.raises(ValueError, match=f"among {header.replace(',', ', ')}: choose one"):
                log(text)
            assert only(log(text, Columns(step="line"))).curve.steps == 3
        with pytest.raises(ValueError, match="known among loss: choose one by --step"):
            log("model,loss\na,2.0\nb,1.0\n")

    def test_several_columns_that_could_be_the_loss_are_listed(self, log):
        text = table("epoch,loss,train_loss", [[1, 2.0, 3.0], [2, 1.0, 2.0]])
        with pytest.raises(ValueError, match="got loss, train_loss: choose one by --loss"):
            log(text)
        assert only(log(text, Columns(loss="train_loss"))).curve.losses.tolist() == [3, 2]

    def test_a_loss_of_an_unknown_name_is_not_guessed(self, log):
        text = table("step,loss_G,loss_D", [[1, 2.0, 3.0]])
        with pytest.raises(ValueError, match="known among step, loss_G, loss_D: choose one"):
            log(text)
        with pytest.raises(ValueError, match=r"--loss must be one of the columns of .*got G"):
            log(text, Columns(loss="G"))

    def test_two_parameter_groups_give_no_rate_unless_they_agree(self, log):
        rows = [[k, 1 / k, 0.1, 0.1] for k in range(1, 5)]
        assert only(log(table("step,loss,lr/pg0,lr/pg1", rows))).curve.rate == 0.1
        rows[0][3] = 0.2
        run = only(log(table("step,loss,lr/pg0,lr/pg1", rows)))
        assert np.isnan(run.curve.rate)
        assert run.curve.unseen == ("rate: it could be lr/pg0, lr/pg1: choose one by --rate",)

    def test_a_column_with_texts_is_no_loss(self, log):
        with pytest.raises(ValueError, match="column loss has the text 'tensor"):
            log("step;loss\n1;tensor(2.3)\n2;tensor(2.2)\n")


class TestDelimited:
    @pytest.mark.parametrize("mark", [",", ";", "\t", " ", "  "])
    @pytest.mark.parametrize("header", ["step{}loss\n", "# step{}loss\n", ""])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_two_columns_need_no_names(self, log, mark, header, end):
        rows = "".join(f"{k}{mark}{x}\n" for k, x in numbered())
        run = only(log((header.format(mark) + rows).replace("\n", end)))
        assert run.curve.losses.tolist() == LOSSES
        assert (run.columns.step, run.curve.steps) == ("step", 4)

    def test_decimal_commas_and_byte_order_marks_of_spreadsheets(self, log):
        text = "Step;Loss\r\n1;0,5\r\n2;0,25\r\n"
        for encoding in ("utf-8-sig", "utf-16", "latin-1"):
            assert only(log(text.encode(encoding))).curve.losses.tolist() == [0.5, 0.25]

    def test_one_column_is_the_losses_of_the_steps(self, log):
        run = only(log("2.0\n1.0\n0.5\n"))
        assert (run.curve.losses.tolist(), run.unit) == ([2, 1, 0.5], "line")

    def test_a_last_line_that_was_cut_off_is_dropped_and_other_lengths_are_refused(self, log):
        assert only(log("step,loss,lr\n1,2.0,0.1\n2,1.0,0.1\n3,0.")).curve.steps == 2
        for line, cells in (("2,1.0,9", 3), ("1.0", 1)):
            with pytest.raises(ValueError, match=rf"2 cells in every line.*got {cells}: '{line}'"):
                log(f"step,loss\n1,2.0\n{line}\n")

    def test_a_file_with_an_index_and_repeated_names_is_read(self, log):
        text = ",step,loss\n0,1,2.0\n1,2,1.0\n,step,loss\n0,1,4.0\n1,2,3.0\n"
        assert [x.curve.losses.tolist() for x in log(text)] == [[2, 1], [4, 3]]

    def test_an_export_of_weights_and_biases_has_a_run_for_every_prefix(self, log):
        header = '"Step","a - loss","a - loss__MIN","a - loss__MAX","b-1 - x - loss","b-1 - x - lr"'
        rows = [
            [k, 2.0 / k, 0, 9, 1.0 / k if k < 3 else "", 0.1 if k < 3 else ""] for k in (1, 2, 3)
        ]
        first, second = log(table(header, rows))
        assert (first.name.endswith(": a"), second.name.endswith(": b-1 - x")) == (True, True)
        assert second.curve.losses.tolist() == [1.0, 0.5] and second.curve.rate == 0.1
        assert first.curve.steps == 3

    def test_a_column_of_run_names_separates_the_runs(self, log):
        rows = [(run, k, x) for k, x in numbered() for run in ("fast", "slow")]
        assert [x.name.rpartition(": ")[2] for x in log(table("run,step,loss", rows))] == [
            *("fast", "slow"),
        ]


class TestRuns:
    def test_a_step_that_starts_again_begins_a_run(self, log):
        runs = log(table("epoch,loss", numbered(first=0) + numbered(first=0)))
        assert [run.name[-3:] for run in runs] == [" #1", " #2"]
        assert [run.curve.losses.tolist() for run in runs] == 2 * [LOSSES]
        assert runs[0].unit == "epoch"

    def test_a_resumed_run_replaces_its_last_steps(self, log):
        rows = [*numbered(), *enumerate([9.0, 8.0], 3)]
        assert only(log(table("step,loss", rows))).curve.losses.tolist() == [2.0, 1.5, 9.0, 8.0]

    def test_steps_that_count_within_an_epoch_are_added(self, log):
        for first, every in ((0, 1), (1, 1), (1, 100)):
            rows = [
                (e, first + every * k, 1.0 / (3 * e + k + 1)) for e in range(4) for k in range(3)
            ]
            curve = only(log(table("epoch,batch,loss", rows))).curve
            assert (curve.width, len(curve.losses)) == (every, 12)

    def test_rows_of_an_epoch_without_a_step_are_counted(self, log):
        rows = [(e, 1.0) for e in range(4) for _ in range(5)]
        run = only(log(table("epoch,batch_loss", rows), Columns(loss="batch_loss")))
        assert (run.unit, run.curve.steps) == ("line", 20)

    def test_an_evaluation_before_the_first_loss_belongs_to_its_run(self, log):
        rows = [(0, "", 5.0), (1, 2.0, ""), (2, 1.0, 4.0)]
        runs = log(table("step,loss,val_loss", rows + rows))
        assert [x.curve.evaluations.by_step for x in runs] == 2 * [{0: 5.0, 2: 4.0}]


class TestNumbers:
    @pytest.mark.parametrize("empty", ["", "nan", "NaN", "None", "N/A"])
    def test_rows_are_sparse(self, log, empty):
        rows = [(1, 2.0, empty), (1, empty, 3.0), (2, 1.0, empty), (2, empty, 2.0)]
        curve = only(log(table("step,train_loss,val_loss", rows))).curve
        assert curve.failed is None
        assert curve.losses.tolist() == [2.0, 1.0]
        assert curve.evaluations.by_step == {1: 3.0, 2: 2.0}

    @pytest.mark.parametrize("bad", ["nan", "inf", "-Infinity", "NaN", "1e301"])
    def test_a_loss_that_stays_not_finite_fails_the_run(self, log, bad):
        rows = [*numbered(), (5, bad), (6, bad)]
        assert only(log(table("step,loss", rows))).curve.failed == (5, "loss", "")
        survived = only(log(table("step,loss", [*rows, (7, 1.0)]))).curve
        assert survived.failed is None

    def test_an_integer_of_many_digits_is_infinite(self, log):
        rows = [{"step": k, "loss": 1} for k in (1, 2)] + [{"step": 3, "loss": 10**400}]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        assert only(log(text)).curve.failed == (3, "loss", "")

    def test_a_skipped_step_of_mixed_precision_is_no_failure(self, log):
        lines = [{"step": k, "loss": x, "grad_norm": 1.0} for k, x in numbered()]
        for norms, failed in (([1, np.nan, 1, np.nan], None), ([1, 1, np.nan, np.nan], 3)):
            rows = [{**x, "grad_norm": norm} for x, norm in zip(lines, norms, strict=True)]
            found = only(log(json.dumps({"log_history": rows}))).curve.failed
            assert (found and found.step) == failed

    def test_gaps_do_not_widen_the_windows(self, log):
        ends = [*range(10, 810, 10), *range(850, 1010, 10)]
        curve = only(log(table("step,loss", [(k, 1.0) for k in ends]))).curve
        assert (curve.width, curve.steps) == (10, 1000)

    def test_a_log_from_step_0_keeps_its_first_loss(self, log):
        curve = only(log(table("step,loss", [(50 * k, 1.0 / (k + 1)) for k in range(20)]))).curve
        assert (curve.losses[0], curve.width, len(curve.losses)) == (1.0, 50, 20)

    def test_many_rows_are_read(self, log):
        rows = "".join(f"{k},{1 / k:.4g}\n" for k in range(1, 50_001))
        assert only(log("step,loss\n" + rows)).curve.steps == 50_000


class TestJSON:
    def test_the_history_of_hugging_face_ends_with_a_mean_that_is_not_read(self, log):
        rows = [{"step": 10 * k, "loss": x, "learning_rate": 1e-4} for k, x in numbered()]
        rows.insert(2, {"step": 20, "eval_loss": 3.0, "eval_runtime": 1.0})
        rows.append({"step": 40, "train_loss": 1.5, "train_runtime": 9.0})
        run = only(log(json.dumps({"best_metric": None, "log_history": rows}, indent=2)))
        assert (run.columns.loss, run.curve.steps, run.curve.rate) == ("loss", 40, 1e-4)
        assert run.curve.evaluations.by_step == {20: 3.0}

    def test_a_dumped_history_of_keras_is_read(self, log):
        run = only(log(json.dumps({"loss": LOSSES, "val_loss": LOSSES})))
        assert run.curve.losses.tolist() == LOSSES
        assert run.curve.evaluations.by_step == {1: 2.0, 2: 1.5, 3: 1.25, 4: 1.125}

    @pytest.mark.parametrize("text", ['{"a": 1}', "[1, 2]", '{"eval_loss": 3.0, "epoch": 3.0}'])
    def test_other_documents_are_refused(self, log, text):
        with pytest.raises(ValueError, match="must have"):
            log(text)


class TestTensorBoard:
    def writer(self, folder):
        return pytest.importorskip("tensorboardX").SummaryWriter(str(folder))

    def test_each_folder_is_a_run_and_other_tags_are_left_out(self, tmp_path):
        for rate in (0.1, 0.01):
            with self.writer(tmp_path / f"lr_{rate}") as writer:
                for k in range(20):
                    writer.add_scalar("Loss/train", 2.0**-k, k)
                    writer.add_scalar("Accuracy/train", k, k)
                    writer.add_scalar("lr", rate, k)
                    writer.add_text("note", "text", k)
                writer.add_histogram("weights", np.arange(9.0), 0)
        small, large = read_log(tmp_path)
        assert (small.curve.rate, large.curve.rate) == (0.01, 0.1)
        assert small.name == str(tmp_path / "lr_0.01")
        assert small.curve.losses.tolist() == [2.0**-k for k in range(20)]

    def test_a_train_and_a_validation_folder_are_one_run(self, tmp_path):
        for part in ("train", "validation"):
            with self.writer(tmp_path / part) as writer:
                for k in range(5):
                    writer.add_scalar("epoch_loss", k + (part == "train"), k)
        run = only(read_log(tmp_path))
        assert run.columns.loss == "train/epoch_loss" and run.unit == "step"
        assert run.curve.losses.tolist() == [1, 2, 3, 4, 5]
        assert run.curve.evaluations.by_step == {1: 0, 2: 1, 3: 2, 4: 3, 5: 4}

    def test_event_files_of_one_folder_are_parts_of_a_run_or_several_runs(self, tmp_path):
        pytest.importorskip("tensorboardX")
        from tensorboardX import SummaryWriter

        for i, steps in enumerate((range(10), range(8, 12), range(5))):
            with SummaryWriter(str(tmp_path), filename_suffix=f".{i}") as writer:
                for k in steps:
                    writer.add_scalar("loss", 1.0 + i, k)
            for path in tmp_path.glob(f"*tfevents*.{i}"):  # in the order of the runs, as by time
                path.rename(tmp_path / f"events.out.tfevents.{i}")
        first, second = read_log(tmp_path)
        assert first.curve.losses.tolist() == 8 * [1.0] + 4 * [2.0]
        assert (second.name[-2:], second.curve.losses.tolist()) == ("#2", 5 * [3.0])

    def test_an_event_file_that_was_cut_off_is_read_to_its_last_record(self, tmp_path):
        with self.writer(tmp_path) as writer:
            for k in range(10):
                writer.add_scalar("loss", 1.0, k)
        (path,) = tmp_path.glob("*tfevents*")
        path.write_bytes(path.read_bytes()[:-9])
        assert only(read_log(path)).curve.steps == 9

    def test_a_damaged_length_ends_the_file(self, tmp_path):
        with self.writer(tmp_path) as writer:
            writer.add_scalar("loss", 1.0, 1)
        (path,) = tmp_path.glob("*tfevents*")
        path.write_bytes(path.read_bytes() + struct.pack("<Q", 2**62) + bytes(20))
        assert only(read_log(path)).curve.steps == 1


class TestRates:
    @pytest.mark.parametrize("rate", [1e-4, 5e-5, 3e-4, 2e-5, 0.1, 0.00035, 1e-3])
    @pytest.mark.parametrize("shape", ["constant", "linear", "cosine", "warmup", "warmup cosine"])
    @pytest.mark.parametrize("late", [0, 1])
    def test_a_rounded_or_decayed_rate_is_named_as_typed(self, rate, shape, late):
        total, warmup = 3000, 200
        k = np.arange(30, total, 30) - 1 + late

        def factor(k):
            share = k / total
            if shape.startswith("warmup"):
                share = (k - warmup) / (total - warmup)
                up = k / warmup
            down = (1 + np.cos(np.pi * share)) / 2 if "cosine" in shape else 1 - share
            down = np.ones_like(k, float) if shape == "constant" else down
            return np.where(k < warmup, up, down) if shape.startswith("warmup") else down

        logged = np.float32(rate * factor(k)).astype(float)
        assert largest_rate(k + 1 - late, logged) == rate

    def test_an_odd_rate_keeps_its_digits(self):
        assert largest_rate(np.arange(1, 9), np.full(8, 0.0012345)) == 0.0012345
        assert np.isnan(largest_rate(np.zeros(0), np.zeros(0)))


class TestFiles:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (b"\x89PNG\r\n\0\0", "must be a text or an event file of TensorBoard"),
            ("", "must have a line for every evaluation"),
            ("Epoch 1: it went well\nEpoch 2: even better\n", "must be a log with columns of num"),
            ("step,loss\n", "must have rows of numbers, got one line alone"),
            ("step,loss\n1,\n2,\n", "must "),
            ("a,b\n1,2\n2,3\n", "got none that is known among a, b"),
            ("[" * 100_000, "must have numbers of a training run, got none"),
            (
                "step,loss\n1," + 200_000 * "1" + "\n",
                "must be a table of numbers, got a line with a",
            ),
            (b"step,loss\n" + 2000 * b"1,2\n" + b"\0,1\n", "must "),
        ],
    )
    def test_what_is_no_log_is_refused_in_a_sentence(self, log, text, words):
        with pytest.raises(ValueError, match=words):
            log(text)

    def test_a_folder_of_checkpoints_is_one_run(self, tmp_path):
        for step in (900, 1000):
            rows = [{"step": k, "loss": 1.0} for k in range(100, step + 1, 100)]
            folder = tmp_path / f"checkpoint-{step}"
            folder.mkdir()
            (folder / "trainer_state.json").write_text(json.dumps({"log_history": rows}))
        assert only(read_log(tmp_path)).curve.steps == 1000

    def test_logs_of_other_tools_in_a_folder_are_named(self, tmp_path):
        rows = [{"step": k, "loss": 1.0} for k in range(1, 20)]
        for name in ("a", "b/version_0"):
            (tmp_path / name).mkdir(parents=True)
        (tmp_path / "a/trainer_state.json").write_text(json.dumps({"log_history": rows}))
        (tmp_path / "a/events.out.tfevents.1").write_bytes(b"")  # of the run that is read
        (tmp_path / "b/version_0/metrics.csv").write_text(table("step,loss", numbered()))
        (note,) = only(read_log(tmp_path)).curve.unseen
        assert note.endswith(": b/version_0; name these folders to read them")
        assert only(read_log(tmp_path / "a")).curve.unseen == ()

    def test_a_log_is_diagnosed_by_its_path(self, tmp_path):
        for name, rate in (("a", 0.1), ("b", 0.01)):
            rows = [(k, np.exp(-rate * k), rate) for k in range(1, 50)]
            (tmp_path / name).write_text(table("step,loss,lr", rows))
        alone = diagnose(tmp_path / "a")
        assert alone.not_checked == (
            "overfitting: there is no validation loss",
            "whether another learning rate helps: there is one run",
        )
        found = diagnose({0.1: tmp_path / "a", 0.01: str(tmp_path / "b")})
        assert found[0.01].remedy == "increase"
        both = (tmp_path / "a").read_text() + (tmp_path / "b").read_text()
        (tmp_path / "both").write_text(both)
        assert [x.remedy for x in diagnose(tmp_path / "both").values()] == ["keep", "increase"]
        with pytest.raises(ValueError, match="both must hold one run, got 2"):
            diagnose({0.1: tmp_path / "both"})
