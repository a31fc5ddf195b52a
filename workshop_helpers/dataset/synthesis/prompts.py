"""What the model is asked, and what of its reply is meant."""

from __future__ import annotations

import random
import re

from ...metrics.facts import ShopFacts
from .seeds import Seed

AROUND = 24  # facts that stand beside the meant ones in the prompt

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
    """The messages that ask for an answer: from the facts, the meant one among others, or else from
    the old answer.
    """
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
    """What the model meant to write: without its thinking, a label before it, and quotation marks
    around it.
    """
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
