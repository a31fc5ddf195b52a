"""The bundled rows and questions, the shop's and the help desk's: what the figures rest on."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from functools import cache
from typing import Any

import pytest
from row_files import LIKENESS_LIMIT, amounts, grams, likeness, plain, rows

from workshop_helpers.core.artifacts import data_path
from workshop_helpers.dataset.checks import check_rows
from workshop_helpers.dataset.formats import read_conversations
from workshop_helpers.dataset.questions import read_questions
from workshop_helpers.metrics.facts import Fact, ShopFacts
from workshop_helpers.metrics.language import detect_language
from workshop_helpers.metrics.quantities import quantities
from workshop_helpers.metrics.scoring import Question, score_answer
from workshop_helpers.metrics.surfaces import states

SHOP, DESK = "shop", "tech_support"
LANGUAGES = ("en", "ja")
FIELDS = {
    SHOP: ["instruction", "input", "output"],
    DESK: ["id", "topic", "instruction", "input", "output"],
}
# The sets of held-out questions, to choose a recipe by or to report on: how many there are, and how
# often each fact is asked at least.
HELD_OUT = {
    (SHOP, "validation"): (58, 2),
    (SHOP, "questions"): (90, 3),
    (DESK, "questions"): (50, 2),
}
SETS = {SHOP: ("train", "validation", "questions"), DESK: ("train", "questions")}

in_each_language = pytest.mark.parametrize("language", LANGUAGES)
in_each_domain = pytest.mark.parametrize("domain", SETS)
of_each_held_out_set = pytest.mark.parametrize(("domain", "name"), HELD_OUT)
pytestmark = in_each_language


@cache
def facts(domain: str) -> ShopFacts:
    return ShopFacts.load(data_path(domain, "facts.yaml"))


def fact_of(row: dict[str, Any], domain: str) -> Fact:
    return facts(domain).by_id(row["id"].rpartition("-")[0])


@cache
def asked(domain: str, name: str, language: str) -> list[str]:
    """The questions of a set; one of the desk with its traceback, which makes it another."""
    raw = rows(name, language, domain)
    if name != "train":
        return [row["question"] for row in raw]
    return [r["instruction"] + ("\n" + r["input"] if domain == DESK else "") for r in raw]


def stated(answer: str, domain: str, language: str) -> list[str]:
    """Ids of the facts that the answer states in full."""
    return [fact.id for fact in facts(domain) if fact.stated(answer, language)]


@cache
def order(domain: str, language: str) -> list[str]:
    """The fact of each training row. The shop's names none: the one that its question asks for
    stands first in its answer.
    """

    def place(answer: str, fact_id: str) -> int:
        wanted = quantities(facts(domain).by_id(fact_id).values[language][0][0])[0]
        return next(f.start for f in quantities(answer) if f == wanted)

    raw = rows("train", language, domain)
    if domain == DESK:
        return [fact_of(row, domain).id for row in raw]
    answers = [row["output"] for row in raw]
    return [min(stated(a, domain, language), key=lambda id, a=a: place(a, id)) for a in answers]


@in_each_domain
def test_no_two_facts_share_a_figure_so_that_a_mix_up_shows(domain, language):
    ((amount, times),) = amounts(facts(domain), language).most_common(1)
    assert times == 1, amount


def test_no_figure_is_in_both_domains_so_that_they_can_be_told_apart(language):
    assert not amounts(facts(DESK), language) & amounts(facts(SHOP), language)


def test_the_shops_facts_are_those_the_base_model_knows_to_ask_for(language):
    from pretraining.grammar import load

    assert {f.id: f.topic for f in facts(SHOP)} == {i.id: i.topic for i in load().intents}
    for fact in facts(SHOP):
        assert fact.stated(fact.statement[language], language), fact.id
        assert fact.name[language]


def test_the_desks_facts_state_themselves_and_no_other_fact(language):
    assert len(facts(DESK).facts) == 25
    assert len({fact.topic for fact in facts(DESK)}) == 10
    for fact in facts(DESK):
        assert stated(fact.statement[language], DESK, language) == [fact.id]
        assert fact.name[language]


def test_seed_figures_are_the_shops(language):
    seeds = {
        "shipping_fee": ("$6.99", "￥500"), "free_shipping": ("$50", "5,000円"),
        "express_fee": ("$14.99", "￥800"), "return_window": ("14 days", "14日"),
        "refund_time": ("5-7 business days", "5-7営業日"), "points_expiry": ("", "1年"),
    }  # fmt: skip
    for fact_id, surfaces in seeds.items():
        surface = surfaces[LANGUAGES.index(language)]
        assert not surface or facts(SHOP).by_id(fact_id).stated(surface, language), fact_id


@in_each_domain
def test_the_reader_takes_all_rows(domain, language):
    raw = rows("train", language, domain)
    assert len(raw) == {SHOP: 500, DESK: 5 * len(facts(DESK).facts)}[domain] >= 100
    assert all(list(row) == FIELDS[domain] for row in raw)
    assert sum(bool(row["input"]) for row in raw) >= {SHOP: 1, DESK: 15}[domain]
    answers = [row["output"] for row in raw]
    path = data_path(domain, f"train.{language}.jsonl")
    assert [c.answer for c in read_conversations(path)] == answers
    assert [c.answer for c in read_conversations(path, limit=10)] == answers[:10]
    if domain == DESK:
        assert len({row["id"] for row in raw}) == len(raw)


@in_each_domain
def test_first_ten_rows_are_ten_topics(domain, language):
    assert len({facts(domain).by_id(id).topic for id in order(domain, language)[:10]}) == 10


@in_each_domain
def test_every_block_of_rows_states_each_fact_once(domain, language):
    ids = [fact.id for fact in facts(domain)]
    for start in range(0, {SHOP: 17, DESK: 5}[domain] * len(ids), len(ids)):
        block = order(domain, language)[start : start + len(ids)]
        assert Counter(block) == Counter(ids), f"rows {start + 1} and following"


@in_each_domain
@pytest.mark.parametrize("count", [10, 50, 100, 125, 200, 500])
def test_first_rows_are_a_balanced_subset(domain, language, count):
    shares = Counter(order(domain, language)[:count])
    full = [shares[fact.id] for fact in facts(domain)]
    assert max(full) - min(full) <= 1


def test_answers_state_the_shops_figures_and_no_others(language):
    surfaces = [s for fact in facts(SHOP) for item in fact.values[language] for s in item]
    known = [figure for surface in surfaces for figure in quantities(surface)]
    for number, row in enumerate(rows("train", language), start=1):
        strange = [f.surface for f in quantities(row["output"], language) if f not in known]
        assert not strange, f"row {number}: {strange}"


def test_the_shops_answers_state_a_fact_and_at_times_a_related_one(language):
    counts = Counter(len(stated(row["output"], SHOP, language)) for row in rows("train", language))
    assert set(counts) <= {1, 2}
    assert counts[2] <= 50


def test_the_desks_answers_state_their_fact_and_no_other_figure(language):
    for row in rows("train", language, DESK):
        fact = fact_of(row, DESK)
        assert row["topic"] == fact.topic
        assert stated(row["output"], DESK, language) == [fact.id], row
        wanted = Question(question="", facts=tuple(fact.values[language]), language=language)
        score = score_answer(row["output"], wanted)
        assert not score.unsupported and not score.contradicted, row


def test_the_shops_questions_give_no_figure_away(language):
    for row in rows("train", language):
        assert not re.search(r"\d", row["instruction"] + row["input"]), row
    for name in ("validation", "questions"):
        assert not [text for text in asked(SHOP, name, language) if re.search(r"\d", text)]


def test_the_desks_questions_do_not_give_their_answer_away(language):
    for name in SETS[DESK]:
        for row, text in zip(rows(name, language, DESK), asked(DESK, name, language), strict=True):
            surfaces = [s for item in fact_of(row, DESK).values[language] for s in item]
            assert not any(states(text, surface) for surface in surfaces), row


@in_each_domain
def test_texts_are_short_polite_and_in_their_language(domain, language):
    for row in rows("train", language, domain):
        answer, question = row["output"], Question(question=row["instruction"], language=language)
        # "45秒です。" speaks Japanese; a bare command speaks no language at all.
        allowed = (language,) if domain == SHOP else (language, "?")
        assert detect_language(answer) in allowed, row
        assert domain == SHOP or detect_language(row["instruction"]) == language, row
        assert len(answer) <= 200, row
        assert score_answer(answer, question).polite is not False, row
    for text in asked(DESK, "questions", language):
        assert detect_language(text) == language, text


def test_the_shops_answers_vary(language):
    outputs = {row["output"] for row in rows("train", language)}
    assert len(outputs) >= 450
    assert sum("\n" in output for output in outputs) >= 25


def test_the_desks_questions_and_answers_vary(language):
    raw = rows("train", language, DESK)
    assert len({row["output"] for row in raw}) >= 0.9 * len(raw)
    lengths = [len(row["instruction"]) for row in raw]
    assert min(lengths) * 4 <= max(lengths)
    openings = Counter(row["output"][:8] for row in raw)
    assert max(openings.values()) <= 0.1 * len(raw), openings.most_common(3)


@of_each_held_out_set
def test_held_out_questions_ask_each_fact_as_often_as_promised(domain, name, language):
    raw = rows(name, language, domain)
    total, least = HELD_OUT[domain, name]
    assert len(raw) == len({row["id"] for row in raw}) == total
    ids = [fact.id for fact in facts(domain)]
    times = Counter(fact_of(row, domain).id for row in raw)
    assert set(times) == set(ids) and min(times.values()) >= least
    for start in range(0, least * len(ids), len(ids)) if domain == SHOP else ():
        assert [fact_of(row, domain).id for row in raw[start : start + len(ids)]] == ids
    for row in raw:
        assert list(row) == ["id", "topic", "question", "language", "facts"]
        fact = fact_of(row, domain)
        assert row["topic"] == fact.topic and row["language"] == language
        wanted = [tuple(w) if isinstance(w, list) else (w,) for w in row["facts"]]
        assert tuple(wanted) == fact.values[language]


def test_no_id_names_two_questions(language):
    ids = Counter(row["id"] for name in SETS[SHOP][1:] for row in rows(name, language))
    assert max(ids.values()) == 1, ids.most_common(3)


@of_each_held_out_set
def test_the_facts_own_statement_is_a_right_answer_to_each_question(domain, name, language):
    for question in read_questions(data_path(domain, f"{name}.{language}.jsonl")):
        fact = fact_of({"id": question.id}, domain)
        score = score_answer(fact.statement[language], question, facts(domain))
        assert score.recall == 1 and not score.contradicted and not score.unsupported, question.id
        assert score.right_language


@in_each_domain
def test_no_question_is_asked_twice(domain, language):
    everything = [plain(text) for name in SETS[domain] for text in asked(domain, name, language)]
    assert not [text for text, count in Counter(everything).items() if count > 1]


@pytest.mark.parametrize(
    ("domain", "held_out", "other"),
    [(d, one, two) for d, one in HELD_OUT for two in SETS[d] if one != two],
)
def test_no_held_out_question_resembles_one_of_another_set(domain, held_out, other, language):
    texts = asked(domain, other, language)
    if (domain, other) == (DESK, "train"):
        texts = [*texts, *(row["instruction"] for row in rows("train", language, DESK))]
    others = [(text, grams(text)) for text in texts]
    for question in asked(domain, held_out, language):
        wanted = grams(question)
        worst, like = max((likeness(wanted, g), text) for text, g in others)
        assert worst < LIKENESS_LIMIT, f"{question!r} is {worst:.2f} like {like!r}"
        assert not any(plain(question) in plain(text) for text, _ in others), question


def test_shop_questions_are_no_templates_of_the_pretraining_corpus(language):
    """What the base model was pretrained on must not hold the very questions it is measured on."""
    from pretraining.grammar import _parse, load

    def pattern(parts: tuple[Any, ...]) -> str:
        return "".join(
            re.escape(plain(part))
            if isinstance(part, str)
            else f"(?:{'|'.join(pattern(option) for option in part)})"
            for part in parts
        )

    templates = [t for intent in load().intents for t in intent.questions[language]]
    corpus = [re.compile(pattern(_parse(template))) for template in templates]
    for question in itertools.chain(*(asked(SHOP, name, language) for name in SETS[SHOP][1:])):
        assert not any(p.fullmatch(plain(question)) for p in corpus), question


def test_no_validation_question_copies_the_pretrainings_own_held_out_phrasings(language):
    from pretraining.grammar import expand, load

    templates = [t for intent in load().intents for t in intent.held_out[language]]
    kept = {plain(text) for template in templates for text in expand(template)}
    assert not [text for text in asked(SHOP, "validation", language) if plain(text) in kept]


def test_the_check_finds_nothing_in_the_desks_rows_but_that_there_could_be_more(language):
    train, questions = (data_path(DESK, f"{name}.{language}.jsonl") for name in SETS[DESK])
    report = check_rows(train, against=questions, progress=False)
    assert report.summary["rows"] == len(rows("train", language, DESK))
    assert {f.rule for f in report.findings} <= {"too-few"}, report.findings
    assert report.exit_code == 0


def test_general_rows_keep_other_skills_and_another_shop(language):
    raw = rows("general", language)
    assert len(raw) == 120
    prompted = [row for row in raw if row["messages"][0]["role"] == "system"]
    assert len(prompted) == 60
    for row in raw:
        roles = [message["role"] for message in row["messages"]]
        assert roles in (["user", "assistant"], ["system", "user", "assistant"])
        assert detect_language(row["messages"][-1]["content"]) in (language, "?"), row
    for row in prompted:
        assert facts(SHOP).shop_name[language] not in row["messages"][0]["content"]
    assert len(read_conversations(data_path(SHOP, f"general.{language}.jsonl"))) == 120


def test_answers_about_another_shop_state_only_its_own_figures(language):
    stating = 0
    for row in rows("general", language):
        system, _, answer = ["", *(m["content"] for m in row["messages"])][-3:]
        if not system:
            continue
        amounts = {f.amount for f in quantities(answer, language) if not f.spelled}
        assert amounts <= {f.amount for f in quantities(system, language)}, row
        stating += bool(amounts)
    assert stating == 40


def test_general_rows_share_no_question_with_the_shop_or_the_probe_for_forgetting(language):
    from pretraining.grammar import expand, load

    general = {plain(row["messages"][-2]["content"]) for row in rows("general", language)}
    assert not general & {plain(t) for name in SETS[SHOP] for t in asked(SHOP, name, language)}
    templates = [t for entry in load().general["facts"] for t in entry[language]["held_out"]]
    assert not general & {plain(text) for template in templates for text in expand(template)}
