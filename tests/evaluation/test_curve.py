"""Short trainings on growing shares of the rows: what they are, what follows from them, and that an
interrupted run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from training_rows import rows, talk

from workshop_helpers.core.artifacts import AlreadyThere
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.wordings import LANGUAGES
from workshop_helpers.evaluation.advice import Measured, advise
from workshop_helpers.evaluation.curve import (
    QUICK,
    CurvePlan,
    RowsCurve,
    Trained,
    in_order,
    plan_curve,
)
from workshop_helpers.evaluation.saturation import Estimate, Saturation, wilson
from workshop_helpers.metrics.scoring import Question
from workshop_helpers.training.recipe import LoraRecipe

SHARES = (12, 25, 50, 100)


def fitted(*shares: float, luck: float = 0.03) -> Saturation:
    return Saturation(SHARES[-len(shares) :], shares, [luck] * len(shares), luck)


# ---- the fit ---------------------------------------------------------------------------------


def test_a_curve_that_rises_goes_on_and_stays_below_all():
    # 0.95 · (1 - exp(-n / 30)), which gives 0.949 at 200
    fit = fitted(0.313, 0.537, 0.771, 0.916)
    ahead = fit.at(200)
    assert ahead.low < 0.949 < ahead.high <= 1
    assert 0.91 < ahead.middle < 1 and ahead.high - ahead.low < 0.25
    assert fit.at(500).middle > ahead.middle


def test_a_flat_curve_stays_where_it_is_and_noise_makes_it_no_rising_one():
    ahead = fitted(0.41, 0.39, 0.42, 0.40).at(200)
    assert ahead.middle == pytest.approx(0.41, abs=0.03) and ahead.high < 0.55
    falling = fitted(0.5, 0.45, 0.4, 0.38).at(200)
    assert falling.middle < 0.5


def test_what_the_points_leave_open_is_a_wide_interval():
    nothing = fitted(0.0, 0.0, 0.02, 0.06).at(500)
    assert nothing.high - nothing.low > 0.4
    assert fitted(0.3, 0.5, luck=0.03).tells is False
    certain, unsure = (fitted(0.2, 0.5, 0.75, 0.9, luck=luck).at(200) for luck in (0.01, 0.08))
    assert unsure.high - unsure.low > 1.5 * (certain.high - certain.low)


def test_the_interval_of_a_share_is_wilsons():
    low, high = wilson(0.9, 90)
    assert (low, high) == pytest.approx((0.8208, 0.9465), abs=1e-4)
    assert wilson(1.0, 10)[0] == pytest.approx(0.7225, abs=1e-4)
    assert wilson(0.0, 10)[0] == 0.0 and wilson(1.0, 7)[1] == 1.0


# ---- the rows of a share ---------------------------------------------------------------------


def test_a_share_is_part_of_the_next_and_holds_each_subject_in_its_share():
    things = [talk(f"How much is {n}, version {v}?", f"${n}.50") for n in range(4) for v in "abcd"]
    for seed in range(3):
        order = in_order(things, seed)
        assert sorted(map(id, order)) == sorted(map(id, things))
        for part in (4, 8, 12):
            held = [sum(row.answer == f"${n}.50" for row in order[:part]) for n in range(4)]
            assert held == [part // 4] * 4
    assert in_order(things, 1) == in_order(things, 1) != in_order(things, 2)


# ---- the advice ------------------------------------------------------------------------------

LOW = Estimate(0.5, 0.6, 0.7)
KNOWN = {"own": 0.97, "half_epochs": 0.55, "gained": (0.05, 0.03)}


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        (["enough"], {"recall": Estimate(0.85, 0.92, 0.96), **KNOWN}),
        (["epochs"], {"own": 0.4, "half_epochs": 0.3, "gained": (0.3, 0.05)}),
        (["not-learned"], {"own": 0.4, "half_epochs": 0.59, "gained": (0.01, 0.05)}),
        (["rows", "wordings"], {"doubled": Estimate(0.65, 0.72, 0.8), **KNOWN}),
        (["rows", "unseen"], {"doubled": Estimate(0.65, 0.72, 0.8), "unseen": 0.39, **KNOWN}),
        (["flat", "wordings", "model"], {"doubled": Estimate(0.55, 0.61, 0.68), **KNOWN}),
        (["flat", "unseen"], {"doubled": Estimate(0.55, 0.61, 0.68), "unseen": 0.4, **KNOWN}),
        (["cannot-tell", "wordings"], {"doubled": Estimate(0.4, 0.7, 0.95), **KNOWN}),
        (["too-few"], {}),
        (["too-few", "epochs-unasked"], {"half_epochs": 0.3, "gained": (0.3, 0.05)}),
    ],
)
def test_each_advice_has_its_measurement(kinds, found):
    advice = advise(Measured(**{"rows": 100, "epochs": 10, "goal": 0.9, "recall": LOW, **found}))
    assert [one.kind for one in advice] == kinds
    for one in advice:
        for language in LANGUAGES:
            assert one.what.said(language) and one.why.said(language)
    if "doubled" in found:
        assert f"{found['doubled'].middle:.0%}" in advice[0].why.said() or kinds[0] == "cannot-tell"


def test_nothing_is_advised_before_all_rows_were_trained_on():
    assert [one.kind for one in advise(None)] == ["unfinished"]


def made_up(*recalls: float, **more: float) -> RowsCurve:
    trainings = tuple(
        Trained(rows, 10, seed, (share + shift, share - shift), 1.0, 0.0, 0.1, 1.0)
        for rows, share in zip(SHARES, recalls, strict=False)
        for seed, shift in ((0, 0.0), (1, 0.02))
    )
    return RowsCurve("m", "en", 100, 10, 2, 8, trainings)


def test_a_curve_survives_being_written_and_its_luck_is_that_of_the_seeds():
    curve = made_up(0.2, 0.5, 0.75, 0.88)
    again = RowsCurve.from_dict(json.loads(json.dumps(curve.to_dict())))
    assert again == curve and again.at(200) == curve.at(200)
    assert curve.to_dict()["doubled"]["middle"] == curve.at(200).middle
    assert 0 < curve.luck < 0.05  # the seeds agree better than is taken for granted
    far = tuple(
        t if t.seed else Trained(**{**vars(t), "stated": (0.0, 0.1)}) for t in curve.trainings
    )
    assert RowsCurve.from_dict({**curve.to_dict(), "trainings": map(vars, far)}).luck > 0.2


# ---- the trainings ---------------------------------------------------------------------------

QUESTIONS = [
    *(Question(f"Price of parcel {n}?", facts=(f"${n}.99",), language="en") for n in range(7)),
    Question("Price of parcel 99?", facts=("$99.99",), language="en"),
    Question("Is it nice there?", language="en"),  # without facts: not asked
]
RECIPE = LoraRecipe(rank=2, epochs=2, batch_size=8)


def plan(model: Path, out: Path, count: int = 16, **how) -> CurvePlan:
    how = {"recipe": RECIPE, "parts": QUICK, "seeds": (0,), **how}
    return plan_curve(model, rows(count), QUESTIONS, out, **how)


@pytest.fixture(scope="module")
def interrupted(tiny_model: Path, tmp_path_factory) -> Iterator[tuple[Path, list]]:
    """A folder in which a run was interrupted in its second training."""
    out = tmp_path_factory.mktemp("curve") / "out"
    seen = []

    def interrupt(curve: RowsCurve, share: float) -> None:
        seen.append((len(curve.trainings), share))
        if curve.trainings:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan(tiny_model, out).run(interrupt)
    return out, seen


def test_an_interrupted_run_keeps_what_is_done_and_goes_on(interrupted, tiny_model):
    out, seen = interrupted
    assert [done for done, _ in seen] == [0, 0, 1] and seen[0][1] < seen[1][1] < seen[2][1] < 0.7
    again = plan(tiny_model, out)
    (first,) = again.curve.trainings
    assert (first.rows, first.epochs, first.own) == (4, 2, None)
    assert [(n, r.epochs) for n, r in again.missing()] == [(8, 2), (16, 2), (16, 1)]
    assert again.seconds() > 0

    stopped = again.run(lambda curve, share: len(curve.trainings) == 2)
    assert stopped.trainings[0] == first and len(stopped.trainings) == 2
    assert [one.kind for one in stopped.advice] == ["unfinished"]

    curve = plan(tiny_model, out).run(progress=False)
    assert curve.trainings[:2] == stopped.trainings and len(curve.trainings) == curve.planned
    assert [point.rows for point in curve.points] == [4, 8, 16]
    assert curve.fewer_epochs is not None and curve.fewer_epochs.epochs == 1
    assert curve.questions == 8 and all(len(t.stated) == 8 for t in curve.trainings)
    assert curve.full is not None and curve.full.mean("own") is not None
    # A random model states nothing; of all facts one stands in no row, more in none of a quarter.
    assert curve.full.mean("unseen") == pytest.approx(1 / 8)
    assert first.unseen > 1 / 8
    noted = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert RowsCurve.from_dict(noted) == curve and noted["doubled"]["rows"] == 32
    left = {path.name for path in (out / "trainings").iterdir() if not path.name.startswith(".")}
    assert left == set(), "no adapter is kept"

    done = plan(tiny_model, out)
    assert done.missing() == [] and done.seconds() == 0 and done.run(progress=False) == curve


def test_another_curve_and_other_files_are_not_written_over(interrupted, tiny_model, tmp_path):
    out, _ = interrupted
    before = (out / "report.json").read_bytes()
    with pytest.raises(AlreadyThere, match="rows 16, now 17"):
        plan(tiny_model, out, count=17)
    assert (out / "report.json").read_bytes() == before
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(WorkshopError, match=r"already holds other files \(thesis.txt\)"):
        plan(tiny_model, tmp_path)
    with pytest.raises(WorkshopError, match="would overwrite|lies in"):
        plan(tiny_model, tiny_model)


def test_too_few_rows_or_questions_are_refused_before_anything_is_written(tiny_model, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(WorkshopError, match="15 rows are too few"):
        plan(tiny_model, out, count=15)
    with pytest.raises(WorkshopError, match="7 of the 7 questions have facts"):
        plan_curve(tiny_model, rows(16), QUESTIONS[:7], out)
    with pytest.raises(WorkshopError, match="0 of the 9 questions.*Add `facts`"):
        plan_curve(tiny_model, rows(16), [Question("Why?")] * 9, out)
    assert not out.exists()
