"""New rows written by a model, each checked against the facts before it is kept.

A new row grows from a seed: an existing row, or a fact. The model first asks the seed's question in other words; then,
in a request of its own, it answers that question from all the facts, without being told which one is meant. Only if the
answer states the seed's facts, and no other figure, does the new question still ask for them: the row is kept. What
fails is counted with its reason; nothing is mended.
"""

from __future__ import annotations

import difflib
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .chat_server import DEFAULT_SERVER, ChatServer, Reply, Stopped
from .device import machine, versions
from .facts import Fact, ShopFacts, Surfaces
from .figures import figures
from .language import LANGUAGES, detect_language, is_polite
from .models import identity, pick_device, resolve
from .quality.similarity import jaccard, plain, shingles
from .records import (
    Conversation,
    Message,
    RowFault,
    check_text,
    read_conversations,
    write_conversations,
)
from .scoring import Question, score_answer
from .workspace import (
    WorkshopError,
    claim,
    equal_card,
    file_hash,
    fingerprint,
    to_json,
    write_card,
)

REWRITES = ("both", "question", "answer")
ALIKE = 0.8  # Jaccard index of the texts' pieces: what `workshop data check` calls a near duplicate
NEAR, SHORT = 0.9, 200  # a difflib ratio, for texts of so many characters
AROUND = 24  # facts that stand beside the meant ones in the prompt
LEAST_COMMON = 0.1  # share of words that a row without any figure must have in common with its seed


@dataclass(frozen=True)
class Progress:
    """Told to a `progress` function after each try."""

    kept: int
    wanted: int
    tries: int


@dataclass
class SynthesisReport:
    """What came of it.

    `kept`: how many rows lie in `path`; `tries`: how many were asked for. `rejected`: (reason, text) of each one that
    was not kept. `prompt_tokens`, `tokens`: read and written, kept or not, over all runs that went into the file.
    `cost`: in the currency of the prices, None where none were given. `seconds`: of this run. `resumed`: rows that an
    earlier, stopped run had left. `reused`: nothing was asked, the file of an equal run was there.
    """

    path: Path
    model: str
    language: str
    kept: int
    wanted: int
    tries: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)
    prompt_tokens: int = 0
    tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0
    resumed: int = 0
    reused: bool = False

    @property
    def reasons(self) -> Counter[str]:
        """How often each reason led to a reject; a reason's detail (after the colon) does not count."""
        return Counter(reason.partition(":")[0] for reason, _ in self.rejected)

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        return {
            "path": str(self.path),
            "model": self.model,
            "language": self.language,
            "kept": self.kept,
            "wanted": self.wanted,
            "tries": self.tries,
            "reasons": dict(self.reasons.most_common()),
            "rejected": [{"reason": reason, "text": text} for reason, text in self.rejected],
            "prompt_tokens": self.prompt_tokens,
            "tokens": self.tokens,
            "cost": self.cost,
            "seconds": round(self.seconds, 3),
            "resumed": self.resumed,
            "reused": self.reused,
        }

    def __str__(self) -> str:
        told = f"{self.kept} of {self.wanted} rows kept after {self.tries} tries, in {self.path}."
        if self.rejected:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())
            told += f" Rejected: {reasons}."
        told += f" {self.prompt_tokens:,} tokens read, {self.tokens:,} written"
        told += f", cost {self.cost:.4f}." if self.cost is not None else "."
        return told


def synthesize(
    out: str | Path,
    *,
    source: str | Path | None = None,
    facts: str | Path | None = None,
    language: str,
    count: int,
    server: str | None = DEFAULT_SERVER,
    model: str | Path | None = None,
    temperature: float | None = 0.8,
    seed: int = 0,
    check: bool = True,
    offline_model: str | Path | None = None,
    rewrite: str | None = None,
    against: Sequence[str | Path] = (),
    key_env: str | None = None,
    prices: tuple[float, float] | None = None,
    tries: int | None = None,
    max_tokens: int = 400,
    parallel: int = 4,
    timeout: float = 120.0,
    retries: int = 4,
    overwrite: bool = False,
    progress: bool | Callable[[Progress], None] = True,
) -> SynthesisReport:
    """Write `count` new rows to `out`, grown from the rows of `source`, from a facts file, or from both.

    `facts`: a facts file; True facts are copied from it, and each row is checked against it. Without one, a new row
    must state the figures of the row it comes from. `language`: of the rows, "en" or "ja"; seeds in another language
    are left out. `rewrite`: "both", or only the "question" (the answer stays), or only the "answer"; None
    takes "both", and "answer" for mame, which has never learned to ask.
    `against`: files whose questions must not come up, such as the held-out ones.

    `server`: any OpenAI-compatible one; `model`: its name there, None for the only one. Without a server (`server` is
    None, `model` is "mame" at the default address, or `offline_model` names a catalogue model, a folder or a GGUF file)
    the model runs in this process. `temperature`: None sends none. `key_env`: see `ChatServer`. `prices`: of a million
    tokens read and written. `tries`: rows to ask for at most (default: 5 · count + 20). `check=False` keeps whatever is
    well formed.

    Rows are kept in a hidden file beside `out` as they come: after a stop the same call goes on. Repeated with equal
    arguments it returns the earlier report, unless `overwrite`.

    Raises WorkshopError for sources without a usable seed, for a server or a model that cannot be reached, and when no
    row at all was kept.
    """
    offline = _offline(server, model, offline_model)
    rewrite = rewrite or ("answer" if offline == "mame" else "both")
    _check_arguments(language, count, temperature, rewrite, prices, tries, parallel)
    if source is None and facts is None:
        raise WorkshopError("Rows grow from rows or facts: give source=, facts= or both.")
    out = Path(out).expanduser()
    if source is not None and out.resolve() == Path(source).expanduser().resolve():
        raise WorkshopError(f"{out} is the source itself. Choose another file for the new rows.")
    shop = ShopFacts.load(facts) if facts is not None else None
    rows = read_conversations(source) if source is not None else []
    seeds = _seeds(rows, shop, language)
    if not seeds:
        raise WorkshopError(
            f"{source} holds no row in {language!r}, so there is nothing to grow from."
        )
    inputs = {
        "stage": "synthesize",
        "source": file_hash(source) if source is not None else None,
        "facts": file_hash(facts) if facts is not None else None,
        "against": sorted(file_hash(path) for path in against),
        "language": language,
        "model": identity(offline) if offline is not None else str(model or ""),
        "server": None if offline is not None else server,
        "temperature": temperature,
        "seed": seed,
        "rewrite": rewrite,
        "check": check,
        "max_tokens": max_tokens,
    }
    limit = tries if tries is not None else 5 * count + 20
    with claim(out):
        stored = None if overwrite else _stored(out, inputs, count)
        if stored is not None:
            return stored
        started = time.perf_counter()
        held = [row for path in against for row in _questions(path)]
        keeper = _Keeper(seeds, rows, held, shop, language, rewrite, check)
        journal = _Journal(out, fingerprint(inputs), fresh=overwrite)
        resumed = journal.read(keeper)
        bar = _Bar(progress, count)
        bar.show(journal)
        if len(journal.kept) < count and journal.tries < limit:
            with _writer(
                offline, server, model, key_env, timeout, retries, temperature, max_tokens, parallel
            ) as writer:
                name = writer.name
                try:
                    _fill(writer, keeper, journal, count, limit, seed, bar)
                except (KeyboardInterrupt, WorkshopError) as error:
                    if isinstance(error, WorkshopError) and journal.kept:
                        raise WorkshopError(
                            f"{error} {len(journal.kept)} of {count} rows are kept: the same call goes on from there."
                        ) from error
                    raise
                finally:
                    bar.close()
        else:
            name = str(offline or model)
        report = SynthesisReport(
            path=out,
            model=name,
            language=language,
            kept=min(count, len(journal.kept)),
            wanted=count,
            tries=journal.tries,
            rejected=journal.rejected,
            prompt_tokens=journal.prompt_tokens,
            tokens=journal.tokens,
            cost=_cost(prices, journal.prompt_tokens, journal.tokens),
            seconds=time.perf_counter() - started,
            resumed=resumed,
        )
        if not journal.kept:
            reasons = ", ".join(f"{n} {reason}" for reason, n in report.reasons.most_common())
            raise WorkshopError(
                f"None of {report.tries} rows by {name} could be kept: {reasons}. Try a larger model, another "
                "temperature, or rewrite='answer'."
            )
        write_conversations(journal.kept[:count], out, format="messages")
        write_card(
            out,
            {
                "kind": "synthetic rows",
                "inputs": inputs,
                "prices": list(prices) if prices else None,
                "machine": machine(),
                "versions": versions(),
                "report": {**report.to_dict(), "path": out.name},
            },
        )
        journal.remove()
        return report


def _check_arguments(
    language: str,
    count: int,
    temperature: float | None,
    rewrite: str,
    prices: tuple[float, float] | None,
    tries: int | None,
    parallel: int,
) -> None:
    wrong = [
        (language in LANGUAGES, f'language is "{language}", must be one of {", ".join(LANGUAGES)}'),
        (count >= 1, f"count is {count}, must be at least 1"),
        (
            temperature is None or 0 <= temperature <= 2,
            f"temperature is {temperature}, must be from 0 to 2",
        ),
        (rewrite in REWRITES, f'rewrite is "{rewrite}", must be one of {", ".join(REWRITES)}'),
        (
            prices is None or (len(prices) == 2 and min(prices) >= 0),
            "prices must be two amounts: of a million tokens read, and written",
        ),
        (tries is None or tries >= 1, f"tries is {tries}, must be at least 1"),
        (parallel >= 1, f"parallel is {parallel}, must be at least 1"),
    ]
    faults = [fault for good, fault in wrong if not good]
    if faults:
        raise WorkshopError(f"Rows cannot be written so: {'; '.join(faults)}.")


def _offline(
    server: str | None, model: str | Path | None, offline_model: str | Path | None
) -> str | Path | None:
    """The model to run in this process, or None for a server."""
    if offline_model is not None:
        return offline_model
    if server is None:
        return model or "mame"
    return "mame" if model == "mame" and server == DEFAULT_SERVER else None


def _cost(prices: tuple[float, float] | None, read: int, written: int) -> float | None:
    return None if prices is None else (prices[0] * read + prices[1] * written) / 1e6


def _questions(path: str | Path) -> list[str]:
    """The questions of a training file or of a questions file (which has no answers)."""
    from .scoring import read_questions

    try:
        return [row.question for row in read_conversations(path)]
    except WorkshopError as error:
        try:
            return [question.question for question in read_questions(path)]
        except WorkshopError:
            raise error from None


# ---- seeds ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seed:
    """What a new row grows from.

    `row`: the row that is asked anew. `facts`: those it states (none where no facts file is given). `expected`: what
    the new answer must say. `known`: texts whose figures it may say. `fact`: the question is made from this fact, and
    `row` holds only a stand-in for it.
    """

    row: Conversation
    facts: tuple[Fact, ...] = ()
    expected: tuple[Surfaces, ...] = ()
    known: tuple[str, ...] = ()
    fact: Fact | None = None


_STAND_IN = {
    "en": (
        "Please tell me {name}.",
        "Could you tell me {name}?",
        "I would like to know {name}.",
        "Hello, what can you tell me about {name}?",
    ),
    "ja": (
        "{name}を教えてください。",
        "{name}について教えていただけますか？",
        "{name}が知りたいです。",
        "すみません、{name}はどうなっていますか？",
    ),
}


def _seeds(rows: list[Conversation], shop: ShopFacts | None, language: str) -> list[Seed]:
    if rows:
        return [
            _seed(row, shop, language)
            for row in rows
            if detect_language(row.question) in (language, "?")
        ]
    assert shop is not None
    found = []
    for number, template in enumerate(_STAND_IN[language]):
        for fact in shop:
            messages = (
                Message("user", template.format(name=fact.name[language])),
                Message("assistant", fact.statement[language]),
            )
            row = Conversation(messages, extra={"topic": fact.topic})
            values = fact.values[language]
            known = (fact.statement[language],)
            # The first time round a question is made from the fact; later ones start from other words.
            found.append(Seed(row, (fact,), values, known, fact if number == 0 else None))
    return found


def _seed(row: Conversation, shop: ShopFacts | None, language: str) -> Seed:
    facts = tuple(fact for fact in shop or () if fact.stated(row.answer, language))
    if facts:
        values = tuple(dict.fromkeys(value for fact in facts for value in fact.values[language]))
        known = (row.answer, *(fact.statement[language] for fact in facts))
        return Seed(row, facts, values, known)
    # No facts file, or none of its facts in this row: its own figures must come back.
    said = dict.fromkeys((figure.surface,) for figure in figures(row.answer))
    return Seed(row, (), tuple(said), (row.answer,))


# ---- what the model is asked ----------------------------------------------------------------------------------------

_STYLES = {
    "en": (
        "Use everyday words.",
        "Be short and casual.",
        "Be polite and a little formal.",
        "Begin with a sentence about your situation.",
        "Begin with another word than usual.",
        "Ask indirectly.",
        "Write like somebody in a hurry.",
    ),
    "ja": (
        "ふだんの言葉で書いてください。",
        "短く、くだけた言い方にしてください。",
        "少し改まった丁寧な言い方にしてください。",
        "はじめに自分の状況を一文で述べてください。",
        "書き出しを変えてください。",
        "遠回しに尋ねてください。",
        "急いでいる人のように書いてください。",
    ),
}
_REQUESTS = {
    "en": {
        "question": "You write questions for a training set. Ask the user's question again in other words: the same "
        "meaning, the same names and figures, nothing added. {style} Reply with the new question only.",
        "from fact": "You write questions for a training set. The user gives a fact. Write one question that a "
        "customer might ask and that this fact answers. Do not give the answer away. {style} Reply with the question "
        "only.",
        "answer": "You write answers for a training set. Say the given answer again in other words: every fact, "
        "figure, name, list and piece of code stays, nothing is added. Reply with the new answer only.",
        "given": "Question: {question}\n\nAnswer: {answer}",
    },
    "ja": {
        "question": "あなたは学習データの質問を書く担当です。ユーザーの質問を別の言い方に書き換えてください。意味、"
        "名前、数字は変えず、何も付け加えないでください。{style}新しい質問だけを書いてください。",
        "from fact": "あなたは学習データの質問を書く担当です。ユーザーが事実を一つ示します。その事実が答えになる、"
        "お客様の質問を一つ書いてください。答えは質問に含めないでください。{style}質問だけを書いてください。",
        "answer": "あなたは学習データの回答を書く担当です。示された回答を別の言い方に書き換えてください。事実、数字、"
        "名前、箇条書き、コードはすべて残し、何も付け加えないでください。新しい回答だけを書いてください。",
        "given": "質問：{question}\n\n回答：{answer}",
    },
}


def question_request(seed: Seed, language: str, chance: random.Random) -> list[dict[str, str]]:
    """The messages that ask for the seed's question in other words."""
    words = _REQUESTS[language]
    style = chance.choice(_STYLES[language])
    kind, text = "question", seed.row.question
    if seed.fact is not None:
        kind, text = "from fact", seed.fact.statement[language]
    return [
        {"role": "system", "content": words[kind].format(style=style)},
        {"role": "user", "content": text},
    ]


def answer_request(
    seed: Seed, question: str, shop: ShopFacts | None, language: str, chance: random.Random
) -> list[dict[str, str]]:
    """The messages that ask for an answer: from the facts, the meant one among others, or else from the old answer."""
    if seed.facts and shop is not None:
        meant = [fact.id for fact in seed.facts]
        others = [fact.id for fact in shop if fact.id not in meant]
        ids = [*meant, *chance.sample(others, min(AROUND, len(others)))]
        chance.shuffle(ids)
        return [
            {"role": "system", "content": shop.system_prompt(language, ids)},
            {"role": "user", "content": question},
        ]
    words = _REQUESTS[language]
    given = words["given"].format(question=question, answer=seed.row.answer)
    return [{"role": "system", "content": words["answer"]}, {"role": "user", "content": given}]


_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|$)", re.S | re.I)
_LABEL = re.compile(
    r"^\s*(?:\*\*)?(?:new |rewritten |paraphrased )?(?:question|answer|q|a|(?:新しい)?(?:質問|回答))"
    r"(?:\*\*)?\s*[:：]\s*(?:\*\*)?\s*",
    re.I,
)
_QUOTES = (('"', '"'), ("“", "”"), ("「", "」"), ("『", "』"), ("'", "'"))


def clean_reply(text: str) -> str:
    """What the model meant to write: without its thinking, a label before it, and quotation marks around it."""
    text = _LABEL.sub("", _THINKING.sub("", text).strip()).strip()
    for opening, closing in _QUOTES:
        inner = text[1:-1]
        if (
            len(text) > 2
            and text.startswith(opening)
            and text.endswith(closing)
            and opening not in inner
            and closing not in inner
        ):
            return inner.strip()
    return text


# ---- is a new row to be kept? ---------------------------------------------------------------------------------------

# A question: it has the mark, or it says in words that something is wanted to be known.
_ASKS = re.compile(
    r"[?？]|か[。.．！!\s]*$|教えて|お聞かせ|知りたい|知らせて|伺いたい|お伺い|聞きたい|お尋ね"
    r"|\b(?:tell me|let me know (?!if)|(?:would|'d) like to (?:know|learn|ask)|(?:want|need) to know|i wonder)\b",
    re.I,
)
# What support says and customers do not: a small model answers where it should ask.
_SERVES = re.compile(
    r"anything else|any other question|help you|thank you for (?:contacting|asking|your)|thanks for your message"
    r"|happy to (?:help|explain)|glad to|i'm afraid|i can(?:'t|not) (?:say|tell)|rather not guess|good question\b"
    r"|ほかにご|他にご|お問い合わせありがとう|ご質問ありがとう|お客様|承って|分かりかね|お答えいたし|いたしかね|ございます。",
    re.I,
)


@dataclass
class Draft:
    """A row that was written, before it is judged.

    `answer`: what the model answers to the question; a row with a new question only is judged by it, too. `cut`: the
    token limit ended one of the texts.
    """

    seed: Seed
    question: str
    answer: str
    cut: bool = False


class _Texts:
    """Texts that a new one must not repeat: exactly, but for case and punctuation, or nearly.

    Nearly means what `workshop data check` calls a near duplicate; in a short text, where one word moves that measure
    far, also a difflib ratio of at least NEAR.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._plain: dict[str, None] = {}
        self._grams: list[Any] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        key = plain(text)
        if key not in self._plain:
            self._plain[key] = None
            self._grams.append(shingles(text))

    def __contains__(self, text: str) -> bool:
        return plain(text) in self._plain

    def near(self, text: str) -> bool:
        grams, key = shingles(text), plain(text)
        if len(key) <= SHORT:
            matcher = difflib.SequenceMatcher(None, "", key, autojunk=False)
            for other in self._plain:
                matcher.set_seq1(other)
                if (
                    matcher.real_quick_ratio() >= NEAR
                    and matcher.quick_ratio() >= NEAR
                    and matcher.ratio() >= NEAR
                ):
                    return True
        return any(
            min(grams.size, other.size) >= ALIKE * max(grams.size, other.size)
            and jaccard(grams, other) >= ALIKE
            for other in self._grams
        )


class _Keeper:
    """Judges drafts, and remembers what was kept, so that nothing comes twice."""

    def __init__(
        self,
        seeds: list[Seed],
        rows: list[Conversation],
        held: list[str],
        shop: ShopFacts | None,
        language: str,
        rewrite: str,
        check: bool,
    ) -> None:
        self.seeds = seeds
        self.shop = shop
        self.language = language
        self.rewrite = rewrite
        self.check = check
        self.questions = _Texts([row.question for row in rows] if rows else [])
        self.held = _Texts(held)
        self.answers: dict[str, _Texts] = {}
        self._first_answers = bool(rows)

    def _answers_to(self, question: str) -> _Texts:
        key = plain(question)
        if key not in self.answers:
            # An old answer to the same question must not come back as a new one; a fact's own statement may.
            old = [s.row.answer for s in self.seeds if plain(s.row.question) == key]
            self.answers[key] = _Texts(old if self._first_answers else [])
        return self.answers[key]

    def row(self, draft: Draft) -> Conversation:
        """The draft as a row: the seed's earlier turns and system prompt stay."""
        *before, _, _ = draft.seed.row.messages
        answer = draft.seed.row.answer if self.rewrite == "question" else draft.answer
        messages = (*before, Message("user", draft.question), Message("assistant", answer))
        extra: dict[str, Any] = {
            key: value for key, value in draft.seed.row.extra.items() if key != "id"
        }
        if draft.seed.facts:
            extra["facts"] = [fact.id for fact in draft.seed.facts]
            extra.setdefault("topic", draft.seed.facts[0].topic)
        return Conversation(messages, extra=extra)

    def remember(self, question: str, answer: str) -> None:
        """Take a kept row into account."""
        if self.rewrite == "answer":
            self._answers_to(question).add(answer)
        self.questions.add(question)

    def fault(self, draft: Draft) -> str | None:
        """Why a draft is not kept, or None: a name, and after a colon what it is about."""
        for text, name in ((draft.question, "empty-question"), (draft.answer, "empty-answer")):
            if not text.strip():
                return name
            try:
                check_text(text)
            except RowFault as fault:
                return f"special-token: {fault}"
        if draft.cut:
            return "cut: the token limit ended it"
        if not self.check:
            return self._repeated(draft)
        return self.wrong_question(draft) or self._wrong_answer(draft) or self._repeated(draft)

    def wrong_question(self, draft: Draft) -> str | None:
        """What is wrong with the new question alone; such a one needs no answer."""
        seed, question = draft.seed, draft.question
        if self.rewrite == "answer" or not self.check:
            return None
        if detect_language(question) not in (self.language, "?"):
            return "wrong-language: the question"
        if seed.fact is not None or _ASKS.search(seed.row.question):
            if not _ASKS.search(question):
                return "no-question: it does not ask"
            if _SERVES.search(question) and not _SERVES.search(seed.row.question):
                return "no-question: it answers"
            given = score_answer(question, Question("", facts=seed.expected))
            before = score_answer(seed.row.question, Question("", facts=seed.expected))
            away = [value for value in given.found if value not in before.found]
            if away:
                return f"answer-in-question: {', '.join(away)}"
        return None

    def _wrong_answer(self, draft: Draft) -> str | None:
        seed = draft.seed
        question = Question(
            draft.question,
            system="\n".join((*seed.known, seed.row.system or "", seed.row.question)),
            facts=seed.expected,
            language=self.language,
        )
        score = score_answer(draft.answer, question)
        if not score.right_language:
            return "wrong-language: the answer"
        if score.contradicted:
            return f"contradicting-fact: {', '.join(score.contradicted)}"
        if score.missing:
            return f"missing-fact: {', '.join(score.missing)}"
        if score.unsupported:
            return f"unsupported-figure: {', '.join(score.unsupported)}"
        if score.polite is False and is_polite(seed.row.answer):
            return "mixed-politeness: the seed is in です・ます"
        if not seed.expected and _common(draft, self.language) < LEAST_COMMON:
            return "off-topic: it shares almost no word with the row it comes from"
        return None

    def _repeated(self, draft: Draft) -> str | None:
        if self.rewrite == "answer":
            answers = self._answers_to(draft.question)
            if draft.answer in answers:
                return "copy: the same answer to the same question"
            return "near-copy: the answer" if answers.near(draft.answer) else None
        if draft.question in self.questions:
            return "copy: the question"
        if draft.question in self.held or self.held.near(draft.question):
            return "leakage: a held-out question"
        return "near-copy: the question" if self.questions.near(draft.question) else None


def _common(draft: Draft, language: str) -> float:
    """Share of the draft's words (pairs of characters in Japanese) that its seed has too."""

    def words(*texts: str) -> set[str]:
        text = plain(" ".join(texts))
        if language == "ja":
            return {text[i : i + 2] for i in range(len(text) - 1) if " " not in text[i : i + 2]}
        return {word for word in text.split() if len(word) > 3}

    new = words(draft.question, draft.answer)
    return len(new & words(draft.seed.row.question, draft.seed.row.answer)) / max(1, len(new))


# ---- rows as they come ----------------------------------------------------------------------------------------------


class _Journal:
    """What was tried so far, in a hidden file beside the result: one line a try, written at once."""

    def __init__(self, out: Path, key: str, *, fresh: bool) -> None:
        out = out.resolve()
        # Other settings have a file of their own, so none of them takes another's rows away.
        self.path = out.with_name(f".{out.name}.{key[:12]}.tries")
        if fresh:
            self.path.unlink(missing_ok=True)
        self.kept: list[Conversation] = []
        self.rejected: list[tuple[str, str]] = []
        self.numbers: set[int] = set()
        self.prompt_tokens = self.tokens = 0

    @property
    def tries(self) -> int:
        return len(self.kept) + len(self.rejected)

    def read(self, keeper: _Keeper) -> int:
        """Take over what an earlier run left; the number of rows it had kept."""
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return 0
        if text and not text.endswith(
            "\n"
        ):  # killed while it wrote: the next line must not join this one
            with open(self.path, "a", encoding="utf-8") as file:
                file.write("\n")
        for line in text.split("\n"):
            try:
                entry = json.loads(line)
                messages = tuple(Message(m["role"], m["content"]) for m in entry.get("row", ()))
                if not messages:
                    self.rejected.append((entry["reason"], entry["text"]))
                self._count(entry)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            if messages:
                row = Conversation(messages, extra=entry.get("extra", {}))
                self.kept.append(row)
                keeper.remember(row.question, row.answer)
        return len(self.kept)

    def _count(self, entry: dict[str, Any]) -> None:
        self.numbers.add(int(entry["try"]))
        self.prompt_tokens += int(entry["prompt_tokens"])
        self.tokens += int(entry["tokens"])

    def add(self, tried: Tried, row: Conversation | None, reason: str = "") -> None:
        entry: dict[str, Any] = {
            "try": tried.number,
            "prompt_tokens": tried.prompt_tokens,
            "tokens": tried.tokens,
        }
        if row is not None:
            self.kept.append(row)
            entry |= {"row": row.to_messages(), "extra": dict(row.extra)}
        else:
            text = "\n".join(t for t in (tried.draft.question, tried.draft.answer) if t)
            self.rejected.append((reason, text))
            entry |= {"reason": reason, "text": text}
        self._count(entry)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8", newline="\n") as file:
            file.write(to_json(entry, indent=None) + "\n")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _stored(out: Path, inputs: dict[str, Any], count: int) -> SynthesisReport | None:
    """The report of the file in `out`, if it was made from these inputs and has as many rows."""
    card = equal_card(out, inputs)
    if card is None:
        return None
    try:
        report = card["report"]
        if report["wanted"] != count or len(read_conversations(out)) != report["kept"]:
            return None
        return SynthesisReport(
            path=out,
            model=report["model"],
            language=report["language"],
            kept=report["kept"],
            wanted=count,
            tries=report["tries"],
            rejected=[(entry["reason"], entry["text"]) for entry in report["rejected"]],
            prompt_tokens=report["prompt_tokens"],
            tokens=report["tokens"],
            cost=report["cost"],
            seconds=report["seconds"],
            reused=True,
        )
    except (WorkshopError, KeyError, TypeError):
        return None


# ---- asking ---------------------------------------------------------------------------------------------------------


@dataclass
class Tried:
    """A draft, the number of its try, and what it cost."""

    number: int
    draft: Draft
    chance: random.Random
    prompt_tokens: int = 0
    tokens: int = 0

    def add(self, reply: Reply) -> str:
        """Take a reply into account; its text, cleaned."""
        self.prompt_tokens += reply.prompt_tokens
        self.tokens += reply.tokens
        self.draft.cut = self.draft.cut or reply.cut
        return clean_reply(reply.text)


@dataclass
class _Writer:
    """A model that writes: `write(requests, seed)` gives a reply to each.

    `batch`: how many tries it takes at a time; with a `pool`, each of them in a thread of its own.
    """

    name: str
    batch: int
    write: Callable[[list[list[dict[str, str]]], int], list[Reply]]
    pool: ThreadPoolExecutor | None = None


def _fill(
    writer: _Writer,
    keeper: _Keeper,
    journal: _Journal,
    count: int,
    limit: int,
    seed: int,
    bar: _Bar,
) -> None:
    """Try seed after seed until enough rows are kept or `limit` rows were tried."""
    # A try's draws depend on its number alone, so a run that goes on does not repeat itself.
    fresh = (n for n in range(10**12) if n not in journal.numbers)

    def judge(found: Iterable[Tried]) -> None:
        for tried in found:
            reason = keeper.fault(tried.draft)
            if reason is None:
                row = keeper.row(tried.draft)
                keeper.remember(row.question, row.answer)
                journal.add(tried, row)
            else:
                journal.add(tried, None, reason)
            bar.show(journal)

    going: set[Future[list[Tried]]] = set()
    try:
        while True:
            wanted = len(journal.kept) < count
            while wanted and len(going) < (writer.batch if writer.pool else 1):
                size = min(1 if writer.pool else writer.batch, limit - journal.tries - len(going))
                if size < 1:
                    break
                tries = [_start(keeper, seed, next(fresh)) for _ in range(size)]
                if writer.pool is None:
                    judge(_write(writer, keeper, tries, seed))
                    break
                going.add(writer.pool.submit(_write, writer, keeper, tries, seed))
            if not going:
                if len(journal.kept) >= count or journal.tries >= limit:
                    return
                continue
            done, going = wait(going, return_when=FIRST_COMPLETED)
            for one in done:
                judge(one.result())
    except BaseException:
        # What else has come in the meantime was paid for.
        for one in going:
            if one.done() and not one.cancelled() and one.exception() is None:
                judge(one.result())
        raise


def _start(keeper: _Keeper, seed: int, number: int) -> Tried:
    """Every seed comes once before one comes again, in an order drawn anew each round."""
    round_, place = divmod(number, len(keeper.seeds))
    order = list(range(len(keeper.seeds)))
    random.Random(f"{seed} round {round_}").shuffle(order)
    one = keeper.seeds[order[place]]
    draft = Draft(one, one.row.question, one.row.answer)
    return Tried(number, draft, random.Random(f"{seed} try {number}"))


def _write(writer: _Writer, keeper: _Keeper, found: list[Tried], seed: int) -> list[Tried]:
    """Let the model write the drafts of these tries: first the questions, then the answers."""
    language, rewrite = keeper.language, keeper.rewrite
    draw = (seed * 1_000_003 + found[0].number * 2) % 2**31
    if rewrite != "answer":
        requests = [question_request(t.draft.seed, language, t.chance) for t in found]
        for tried, reply in zip(found, writer.write(requests, draw), strict=True):
            tried.draft.question = tried.add(reply)
    # A question that is no good already needs no answer; a new question alone is tried out where there are facts.
    going = [
        t
        for t in found
        if not t.draft.cut
        and t.draft.question
        and (rewrite != "question" or (keeper.check and t.draft.seed.facts))
        and keeper.wrong_question(t.draft) is None
    ]
    if going:
        requests = [
            answer_request(t.draft.seed, t.draft.question, keeper.shop, language, t.chance)
            for t in going
        ]
        for tried, reply in zip(going, writer.write(requests, draw + 1), strict=True):
            tried.draft.answer = tried.add(reply)
    return found


@contextmanager
def _writer(
    offline: str | Path | None,
    server: str | None,
    model: str | Path | None,
    key_env: str | None,
    timeout: float,
    retries: int,
    temperature: float | None,
    max_tokens: int,
    parallel: int,
) -> Iterator[_Writer]:
    if offline is not None:
        ref = resolve(offline)
        if ref.kind == "gguf":
            from .llama_engine import LlamaEngine

            with LlamaEngine(ref.path or offline, slots=parallel) as engine:
                host, port = engine.address
                address = f"http://{host}:{port}/v1"
                with _served(
                    address, None, None, timeout, retries, temperature, max_tokens, parallel
                ) as writer:
                    writer.name = ref.name
                    yield writer
            return
        with _in_process(ref, temperature, max_tokens) as writer:
            yield writer
        return
    assert server is not None
    with _served(
        server,
        str(model) if model else None,
        key_env,
        timeout,
        retries,
        temperature,
        max_tokens,
        parallel,
    ) as writer:
        yield writer


@contextmanager
def _served(
    address: str,
    model: str | None,
    key_env: str | None,
    timeout: float,
    retries: int,
    temperature: float | None,
    max_tokens: int,
    parallel: int,
) -> Iterator[_Writer]:
    server = ChatServer(address, model, key_env=key_env, timeout=timeout, retries=retries)
    name = server.start()
    pool = ThreadPoolExecutor(max_workers=parallel)

    def write(requests: list[list[dict[str, str]]], seed: int) -> list[Reply]:
        return [
            server.complete(
                request, temperature=temperature, seed=(seed + n) % 2**31, max_tokens=max_tokens
            )
            for n, request in enumerate(requests)
        ]

    try:
        yield _Writer(name, parallel, write, pool)
    except Stopped:
        raise KeyboardInterrupt from None
    finally:
        server.stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _in_process(ref: Any, temperature: float | None, max_tokens: int) -> Iterator[_Writer]:
    """A model opened here. The runtimes take the likeliest token; noise on the logits makes a draw of that.

    argmax(logits / T + g) with g from Gumbel(0, 1) is a draw from softmax(logits / T) (the Gumbel-max trick; Gumbel
    1954, Maddison et al. 2014, arXiv:1411.0030).
    """
    import torch

    from .runtimes import open_runtime

    dice = torch.Generator()
    heat = temperature or 0.0

    def shake(module: Any, arguments: Any, output: Any) -> None:
        if heat:
            logits = output.logits
            even = torch.rand(logits.shape, generator=dice).clamp_(1e-20, 1 - 1e-7)
            logits += heat * -torch.log(-torch.log(even)).to(logits)

    with open_runtime(ref, device=pick_device(None, ref), batch_size=16) as runtime:
        hook = runtime._network.register_forward_hook(shake)  # type: ignore[attr-defined]

        def write(requests: list[list[dict[str, str]]], seed: int) -> list[Reply]:
            dice.manual_seed(seed)
            answers = runtime.answer(requests, max_new_tokens=max_tokens)
            return [Reply(a.text, a.prompt_tokens, a.tokens, not a.stopped) for a in answers]

        try:
            yield _Writer(ref.name, 16, write)
        finally:
            hook.remove()


class _Bar:
    """A progress bar on a terminal's stderr, or the caller's own function."""

    def __init__(self, progress: bool | Callable[[Progress], None], wanted: int) -> None:
        self.call = progress if callable(progress) else None
        self.wanted = wanted
        self.bar: Any = None
        if progress is True and sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=wanted, unit="row", desc="writing", leave=False, file=sys.stderr)

    def show(self, journal: _Journal) -> None:
        if self.call is not None and journal.tries:
            self.call(Progress(len(journal.kept), self.wanted, journal.tries))
        if self.bar is not None:
            self.bar.set_postfix(rejected=len(journal.rejected), refresh=False)
            self.bar.update(len(journal.kept) - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
