"""The grammar, corpus and pretraining of `mame`: held-out things stay out, nothing is cut."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path

import pytest

from pretraining import corpus, grammar, slips, trades, values
from workshop_helpers.core.artifacts import data_path

LANGUAGES = grammar.LANGUAGES


def test_draw_takes_one_alternative_and_fills_slots() -> None:
    template = "[Hi|Hello] [very [dear|kind]|] friend, {fee}."
    seen = {grammar.draw(template, random.Random(n), {"fee": "$5"}) for n in range(60)}
    middles = ("", "very dear ", "very kind ")
    assert seen == {f"{hi} {middle}friend, $5." for hi in ("Hi", "Hello") for middle in middles}


def test_expand_lists_exactly_the_forms_that_draw_can_give() -> None:
    template = "[a|b[c|]]d"
    assert sorted(grammar.expand(template)) == ["ad", "bcd", "bd"]
    assert grammar.forms(template) == 3


@pytest.mark.parametrize("template", ["[a|b", "a]", "a|b", "[a|[b]", "costs {fee}"])
def test_unbalanced_template_and_missing_slot_are_refused(template: str) -> None:
    with pytest.raises(KeyError if "{" in template else ValueError, match="template|fee"):
        grammar.draw(template, random.Random(0), {})


def test_banks_cover_the_topics_with_varied_phrasings() -> None:
    intents = grammar.load().intents
    assert len({intent.topic for intent in intents}) >= 16
    for intent in intents:
        for language in LANGUAGES:
            assert sum(map(grammar.forms, intent.questions[language])) >= 100, intent.id
            for answer in intent.answers[language]:
                assert all("{" + slot + "}" in answer for slot in intent.slots), answer


def test_answers_without_facts_hold_no_figure() -> None:
    for intent in grammar.load().intents:
        for language in LANGUAGES:
            for template in intent.vague[language]:
                assert not re.search(r"[\d{]", template), template


def test_no_question_belongs_to_two_intents_and_none_is_both_seen_and_held_out() -> None:
    for language in LANGUAGES:
        owner: dict[str, str] = {}
        held_out: set[str] = set()
        for intent in grammar.load().intents:
            for template in intent.questions[language]:
                for question in grammar.expand(template):
                    assert owner.setdefault(question, intent.id) == intent.id, question
            for template in intent.held_out[language]:
                held_out |= set(grammar.expand(template))
        assert not held_out & set(owner)


def bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_indirect_question_is_one_of_the_courses_or_of_two_topics_or_held_out(
    language: str,
) -> None:
    """The other templates are held against the course's questions in dataset/."""
    owner: dict[str, str] = {}
    kept: set[str] = set()
    topics = trades.bank()["topics"] + trades.bank()["held_out_topics"]
    for topic in topics:
        for template in topic[language]["ask"]:
            for question in map(bare, grammar.expand(template)):
                assert owner.setdefault(question, topic["id"]) == topic["id"], question
        for template in topic[language].get("kept", []):
            kept |= set(map(bare, grammar.expand(template)))
    assert not kept & set(owner)
    patterns = [re.compile(re.sub("any|a_any|anys", ".+", question)) for question in owner]
    for name in ("questions", "validation"):
        text = data_path("shop", f"{name}.{language}.jsonl").read_text(encoding="utf-8")
        for line in text.splitlines():
            asked = bare(json.loads(line)["question"])
            assert not any(pattern.fullmatch(asked) for pattern in patterns), asked


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("language", LANGUAGES)
def test_any_shops_answers_are_in_its_prompt_and_what_it_lacks_is_said_without_figures(
    language: str, held_out: bool
) -> None:
    from pretraining.evaluate import ADMITS

    writer = corpus.Writer(random.Random(8), held_out=held_out)
    for _ in range(150):
        talk = writer.any_shop(language, turns=2)
        assert talk.system
        for turn in talk.turns:
            assert not re.search(r"[{}|\[\]]", turn.question + turn.answer), turn
            if turn.kind == "fact":
                assert turn.keys
                assert all(key in turn.answer and key in talk.system for key in turn.keys), talk
            elif turn.kind in ("missing", "outside"):
                assert not re.search(r"\d", turn.answer), turn
                assert ADMITS[language].search(turn.answer), turn


def test_a_prompt_holds_several_values_of_one_kind_so_that_one_must_be_chosen() -> None:
    writer = corpus.Writer(random.Random(9))
    for language, mark in (("en", r"[$£€]\d"), ("ja", r"\d円|[￥¥]\d")):
        prompts = [writer.any_shop(language, turns=1).system or "" for _ in range(200)]
        assert sum(len(re.findall(mark, prompt)) >= 3 for prompt in prompts) >= 60
        assert len({prompt.splitlines()[0][:6] for prompt in prompts}) >= 60


def test_held_out_trades_services_and_openers_stay_out_of_the_corpus() -> None:
    corpus_text = "".join(repr(talk) for talk in corpus.chunk(2, 600))
    for trade in trades.bank()["held_out_trades"]:
        for good in trade["goods"][:2]:
            assert good.split("|")[1] not in corpus_text, good
    for service in trades.bank()["held_out_services"]:
        assert service.split("|")[1].split(",")[0].strip() not in corpus_text, service
    prompts = trades.bank()["prompts"]
    assert not any(lead in corpus_text for lead in prompts["lead"]["held_out"]["en"] if lead)
    writer = corpus.Writer(random.Random(3), held_out=True)
    asked = {writer.outside_turn("en").question for _ in range(20)}
    assert any("Pacific" in text or "Nile" in text or "tips" in text for text in asked)


def test_a_chunk_is_the_same_every_time_and_another_one_differs() -> None:
    assert corpus.chunk(3, 40) == corpus.chunk(3, 40)
    assert corpus.chunk(3, 40) != corpus.chunk(4, 40)


def test_values_of_the_corpus_and_of_the_measurement_do_not_meet() -> None:
    rng = random.Random(0)
    for kind in set(values.KINDS) - values.NEVER_HELD_OUT:
        for language in LANGUAGES:
            style = values.Style()
            seen = {values.draw_value(kind, language, style, rng) for _ in range(400)}
            kept = {values.draw_value(kind, language, style, rng, held_out=True) for _ in range(50)}
            assert not seen & kept, kind


def test_a_fact_answer_states_the_values_of_its_own_prompt() -> None:
    for held_out in (False, True):
        writer = corpus.Writer(random.Random(5), held_out=held_out)
        for language in LANGUAGES:
            for _ in range(60):
                talk = writer.with_facts(language, turns=1, kind="fact")
                (turn,) = talk.turns
                assert turn.keys
                assert all(key in turn.answer and key in (talk.system or "") for key in turn.keys)


def test_a_missing_answer_names_no_figure() -> None:
    writer = corpus.Writer(random.Random(6))
    for language in LANGUAGES:
        for _ in range(80):
            (turn,) = writer.with_facts(language, turns=1, kind="missing").turns
            assert not re.search(r"\d", turn.answer), turn.answer


def test_the_measurement_knows_every_way_to_say_that_a_fact_is_missing() -> None:
    from pretraining.evaluate import ADMITS

    bank = grammar.load()
    for language in LANGUAGES:
        outside = trades.bank()["prompts"]["outside_answers"]
        for bank_of in (
            bank.dressing["not_in_information"],
            bank.dressing["not_in_information_unnamed"],
            outside,
        ):
            for template in bank_of[language]:
                for text in grammar.expand(template):
                    assert ADMITS[language].search(text), text
        templates = [t for intent in bank.intents for t in intent.answers[language]]
        answers = [text for template in templates for text in grammar.expand(template)]
        taken_for_one = [text for text in answers if ADMITS[language].search(text)]
        assert len(taken_for_one) <= 0.02 * len(answers), taken_for_one


@pytest.mark.parametrize(
    ("language", "question"),
    [
        ("en", "Is 14 days right for $5.20 lamps?"),
        ("ja", "5,200円のランプは、返品が14日以内ですか？"),
    ],
)
def test_what_is_typed_live_keeps_its_figures_and_differs(language: str, question: str) -> None:
    rng = random.Random(0)
    for variant in slips.VARIANTS[language]:
        seen = {slips.typed(question, language, rng, variant) for _ in range(40)}
        assert seen - {question}, variant
        for text in seen:
            assert re.findall(r"\d[\d.,]*", text) == re.findall(r"\d[\d.,]*", question), text


@pytest.fixture(scope="module")
def small_tokenizer():  # type: ignore[no-untyped-def]
    from pretraining import tokenizer

    texts = [m["content"] for talk in corpus.chunk(0, 400) for m in talk.messages()]
    return tokenizer.train(texts, vocabulary=1024)


def test_tokenizer_splits_digits_and_keeps_every_text(small_tokenizer) -> None:  # type: ignore[no-untyped-def]
    text = "送料は￥1,234円です。 It's  14 days!\n🙂 ＡＢＣ"
    ids = small_tokenizer.encode(text)
    assert small_tokenizer.decode(ids) == text
    assert [small_tokenizer.decode([i]) for i in small_tokenizer.encode("1234")] == list("1234")
    assert len(small_tokenizer) == 1024
    assert small_tokenizer.eos_token == "<|im_end|>"


def test_template_adds_nothing_that_was_not_said(small_tokenizer) -> None:  # type: ignore[no-untyped-def]
    text = small_tokenizer.apply_chat_template(
        [{"role": "user", "content": "hi"}], tokenize=False, add_generation_prompt=True
    )
    assert text == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


def test_training_rows_equal_the_chat_template_and_are_never_cut(small_tokenizer) -> None:  # type: ignore[no-untyped-def]
    from pretraining import train

    talks = corpus.chunk(0, 60)
    for talk, (ids, weights) in zip(talks, train.encode(talks, small_tokenizer), strict=True):
        whole = small_tokenizer.apply_chat_template(talk.messages(), tokenize=False)
        assert small_tokenizer.decode(ids) == whole
        assert len(ids) == len(weights)
        learned = small_tokenizer.decode([i for i, w in zip(ids, weights, strict=True) if w == 1.0])
        taught = [turn for turn in talk.turns if turn.learned]
        assert learned == "".join(turn.answer + "<|im_end|>" for turn in taught)
    assert any(not turn.learned for talk in talks for turn in talk.turns)


def test_amounts_are_learned_only_where_they_can_be_known() -> None:
    """Few-shot answers in front state drawn values: learning them would teach inventing numbers."""
    for talk in corpus.chunk(1, 400):
        before = talk.system or ""
        for turn in talk.turns:
            if turn.kind == "fact" and turn.learned:
                assert all(key in before for key in turn.keys), talk
            before += turn.answer


def test_a_killed_pretraining_goes_on_to_the_same_model(
    small_tokenizer, tmp_path: Path, monkeypatch
) -> None:  # type: ignore[no-untyped-def]
    import torch
    from safetensors.torch import load_file

    from pretraining import train

    monkeypatch.setattr(train, "CHUNK", 48)
    monkeypatch.setattr(train, "LENGTHS", (64, 128, 256))
    sizes = {"hidden": 64, "intermediate": 64, "layers": 1, "heads": 2, "kv_heads": 1}
    recipe = train.Recipe(steps=4, warmup=2, batch_tokens=512, **sizes)

    def run(name: str, **extra: object) -> dict[str, torch.Tensor]:
        work = tmp_path / name
        if not (work / "tokenizer").exists():
            small_tokenizer.save_pretrained(work / "tokenizer")
        train.train(
            recipe, work / "out", work, compile_steps=False, device="cpu", save_every=2, **extra
        )
        return load_file(work / "out" / "model.safetensors")

    straight = run("straight")
    # Stop after the checkpoint at step 2, as a kill would, then start again.
    original = train.save_checkpoint

    def save_then_die(*args: object) -> None:
        original(*args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train, "save_checkpoint", save_then_die)
        run("killed")
    resumed = run("killed")
    assert straight.keys() == resumed.keys()
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_a_model_is_trained_on_with_its_own_tokenizer_and_the_rate_raised_again(
    small_tokenizer, tmp_path: Path, monkeypatch
) -> None:  # type: ignore[no-untyped-def]
    import torch
    from safetensors.torch import load_file

    from pretraining import train

    monkeypatch.setattr(train, "CHUNK", 48)
    monkeypatch.setattr(train, "LENGTHS", (64, 128, 256))
    sizes = {"hidden": 64, "intermediate": 64, "layers": 1, "heads": 2, "kv_heads": 1}
    start = tmp_path / "start"
    train.export(
        train.new_model(train.Recipe(**sizes), len(small_tokenizer)), small_tokenizer, start, {}
    )

    def trained_on(peak: float) -> dict[str, torch.Tensor]:
        recipe = train.Recipe(steps=2, warmup=1, batch_tokens=512, peak=peak)
        out = tmp_path / f"out-{peak}"
        work = tmp_path / f"work-{peak}"
        train.train(recipe, out, work, start=start, device="cpu", compile_steps=False)
        assert (out / "tokenizer.json").read_bytes() == (start / "tokenizer.json").read_bytes()
        return load_file(out / "model.safetensors")

    before = load_file(start / "model.safetensors")
    assert all(torch.equal(before[name], tensor) for name, tensor in trained_on(0.0).items())
    assert not all(torch.equal(before[name], tensor) for name, tensor in trained_on(0.5).items())


def test_bundled_model_keeps_the_promised_limits() -> None:
    from safetensors import safe_open

    folder = data_path("mame")
    weights = sorted(folder.glob("*.safetensors"))
    assert weights
    assert all(path.stat().st_size <= 16 * 2**20 for path in weights)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 32 * 2**20
    parameters = 0
    for path in weights:
        with safe_open(path, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 (it is no dict)
                part = tensors.get_slice(name)
                assert part.get_dtype() == "BF16"
                parameters += math.prod(part.get_shape())
    assert parameters <= 16_000_000
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["Qwen2ForCausalLM"]
    assert config["hidden_size"] % 256 == 0 and config["intermediate_size"] % 256 == 0


def test_recorded_evaluation_is_of_the_bundled_weights() -> None:
    from workshop_helpers.core.cards import file_hash
    from workshop_helpers.core.jsonio import read_json

    recorded = read_json(Path(__file__).parent.parent / "results" / "mame.json")
    weights = data_path("mame").glob("*.safetensors")
    assert recorded["model"] == {path.name: file_hash(path) for path in weights}
    assert recorded["questions_per_row_and_language"] >= 200
