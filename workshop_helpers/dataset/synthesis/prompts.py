"""What the model is asked, and what of its reply is meant."""

from __future__ import annotations

import random
import re

from ...core.wordings import entries, say
from ...models.chat import Messages
from .seeds import Material, Seed

AROUND = 24  # facts in the prompt besides the intended ones


def _request(system: str, user: str) -> Messages:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def question_request(seed: Seed, language: str, chance: random.Random) -> Messages:
    """The messages that ask for the seed's question in other words."""
    styles = [name for name in entries("synthesis") if name.startswith("style-")]
    style = say(f"synthesis.{chance.choice(styles)}", language)
    if seed.fact is None:
        return _request(say("synthesis.question", language, style=style), seed.row.question)
    system = say("synthesis.from-fact", language, style=style)
    return _request(system, seed.fact.statement[language])


def answer_request(
    seed: Seed, question: str, material: Material, chance: random.Random
) -> Messages:
    """The messages that ask for an answer: from the facts, the meant one among others, or else from
    the old answer.
    """
    language, shop = material.language, material.shop
    if not seed.facts or shop is None:
        given = say("synthesis.given", language, question=question, answer=seed.row.answer)
        return _request(say("synthesis.answer", language), given)
    meant = [fact.id for fact in seed.facts]
    others = [fact.id for fact in shop if fact.id not in meant]
    ids = [*meant, *chance.sample(others, min(AROUND, len(others)))]
    chance.shuffle(ids)
    return _request(shop.system_prompt(language, ids), question)


_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|$)", re.S | re.I)
_LABEL = re.compile(
    r"^\s*(?:\*\*)?(?:new |rewritten |paraphrased )?"
    r"(?:question|answer|q|a|(?:新しい)?(?:質問|回答))"
    r"(?:\*\*)?\s*[:：]\s*(?:\*\*)?\s*",
    re.I,
)
_QUOTED = re.compile(r'"([^"]+)"|“([^“”]+)”|「([^「」]+)」|『([^『』]+)』|\'([^\']+)\'', re.S)


def clean_reply(text: str) -> str:
    """What the model meant to write: without its thinking, a label before it, and quotation marks
    around it.
    """
    text = _LABEL.sub("", _THINKING.sub("", text).strip()).strip()
    quoted = _QUOTED.fullmatch(text)
    return next(filter(None, quoted.groups())).strip() if quoted else text
