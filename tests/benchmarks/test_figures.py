"""Numbers in the pages come from stored results, and a wrong one is found."""

import importlib.util
from pathlib import Path

import pytest

from benchmarks import compare, figures, measured, run
from benchmarks.problems import GROUPS
from benchmarks.regret import scores, table

ABOUT = {"machine": "a machine", "date": "2026-11-30", "versions": {"jax": "0.10"}}
ADAM = {"ours, s": 0.0123, "theirs, s": 0.012, "ratio": 1.0249, "low": 0.98, "high": 1.06}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder of results: one benchmark with one figure."""
    monkeypatch.setattr(measured, "RESULTS", tmp_path)
    measured.save("adam_step", "python -m adam", {"adam": ADAM}, tmp_path, **ABOUT)
    return tmp_path


def page(folder, text):
    path = folder / "page.md"
    path.write_text(text)
    return list(figures.problems(path, folder))


def test_the_pages_have_the_figures_that_are_stored():
    assert [line for path in figures.pages() for line in figures.problems(path)] == []


def test_a_wrong_figure_is_found(results):
    marker = "It is <!-- figure: adam_step/adam/ratio -->{}<!-- end -->."
    assert page(results, marker.format("1.02")) == []
    assert page(results, "\n" + marker.format("1.03")) == [
        "page.md:2: adam_step/adam/ratio is '1.02', the page has '1.03'"
    ]


def test_a_page_is_filled_with_what_the_check_accepts(results):
    markers = "adam_step", "adam_step/about", "adam_step/adam/ours, s"
    text = "\n".join(f"- <!-- figure: {name} --><!-- end -->" for name in markers)
    assert len(page(results, text)) == 3
    filled = figures.filled(text)
    assert page(results, filled) == []
    assert "| adam | 12.3 ms | 12 ms | 1.02 (0.98 to 1.06) |" in filled
    assert "`python -m adam`, a machine, 2026-11-30, jax 0.10" in filled


@pytest.mark.parametrize(
    "typed", ["1.07x", "0.6 ×", "2.5 times as fast as", "3 times faster", "0.7 / 7.7 / 41"]
)
def test_a_typed_measurement_is_found(results, typed):
    assert page(results, f"It takes {typed}.") == [
        f"page.md:1: {typed!r} is typed: put it into a marker (benchmarks/figures.py)"
    ]


def test_a_marker_that_would_be_no_text_is_found(results):
    bad = page(results, "<!-- figure: adam_step/adam/ratio -->1.02<!-- end --> is the ratio.")
    assert bad == [
        "page.md:1: a marker that starts a line makes it HTML: start the line with a word"
    ]


def test_a_marker_without_an_end_or_a_result_is_found(results):
    assert "has no `<!-- end -->`" in page(results, "<!-- figure: adam_step -->")[0]
    with pytest.raises(SystemExit, match="No result has the figure 'adam_stop'"):
        page(results, "<!-- figure: adam_stop --><!-- end -->")


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("ours, s", 1.234, "1.23 s"),
        ("ours, s", 4.56e-5, "45.6 µs"),
        ("ratio", 0.996, "1.00"),
        ("test worst, %", 72.49, "72"),
        ("test median, %", -0.04, "0.0"),
        ("test median, %", -0.06, "−0.1"),
        ("right, share", 0.893, "89.3 %"),
        ("cost, runs", 2.84, "2.8"),
        ("ours, error", 6e-8, "6e-08"),
        ("runs", 4557, "4,557"),
    ],
)
def test_a_number_has_one_text(key, value, text):
    assert measured.words(key, value) == text


@pytest.mark.parametrize(
    ("ratio", "low", "is_worse"),
    [(1.03, 0.9, False), (1.2, 1.0, False), (1.2, 1.1, True), (0.5, 0.4, False)],
)
def test_a_ratio_is_worse_beyond_its_spread(results, capsys, ratio, low, is_worse):
    again = ADAM | {"ratio": ratio, "low": low, "high": 1.3}
    measured.save("adam_step", "python -m adam", {"adam": again}, results / "new", **ABOUT)
    assert compare.main([str(results / "new"), "--stored", str(results)]) == is_worse
    assert f"{int(is_worse)} ratios got worse" in capsys.readouterr().out


@pytest.mark.parametrize("module", run.BENCHMARKS.values())
def test_every_benchmark_returns_figures_and_prints_them(module):
    source = Path(importlib.util.find_spec(module).origin).read_text()
    assert "\ndef figures(" in source
    assert "    show(figures(" in source
    assert f"python -m {module}" in source


@pytest.mark.parametrize("group", GROUPS)
def test_stored_regrets_are_those_of_the_stored_losses(group):
    found = table.figures(scores.load(), list(GROUPS[group]))
    stored = measured.load(f"regret_{group}")["figures"]
    assert list(found) == list(stored)
    for method, figure in found.items():
        assert stored[method] == pytest.approx(figure, rel=1e-4, abs=1e-4)
