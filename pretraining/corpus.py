"""Conversations written by the grammar: what `mame` learns from, and what it is measured on.

Everything is drawn from one `random.Random`, so a chunk number gives the same conversations on
every machine. With `held_out=True` the same builders use only shops, values and phrasings that the
corpus never shows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from pretraining.grammar import Intent, draw, fill, load
from pretraining.slips import typed, with_typo
from pretraining.trades import Offer, Trader, bank
from pretraining.values import Style, draw_value

Message = dict[str, str]

# Shares of the kinds of conversation, in per cent.
MIX = {
    "with_facts": 24,
    "any_shop": 34,
    "without_facts": 12,
    "general": 19,
    "small_talk": 2,
    "examples": 7,
    "outside": 2,
}
ENGLISH = 0.52  # of the conversations: its wordings vary more
TYPED = 0.2  # of the corpus's questions to a shop stand as they are typed live
INDIRECT = 0.12  # of the corpus's questions for an intent leave its word out
BARE = 0.04  # of them are hardly more than its word
MISSING = 0.22  # of the questions to a shop with facts: with more, refusing became a habit
# What takes the most repeating gets more room in the corpus than in the measured rows, whose
# make-up stays as it is so that figures compare.
ARITHMETIC = {"corpus": 0.5, "measured": 0.32}  # of the general questions
ABSENT = {
    "corpus": 0.8,
    "measured": 0.6,
}  # of the unanswerable ones: about a fact other shops state


@dataclass(frozen=True)
class Turn:
    """One question with its answer, and what a right answer holds."""

    question: str
    answer: str
    kind: str  # fact, vague, missing, small_talk, general, outside
    intent: str | None = None
    keys: tuple[str, ...] = ()  # strings a right answer states
    learned: bool = (
        True  # an example's answer is there to be read: its values cannot be known beforehand
    )


@dataclass(frozen=True)
class Talk:
    """A whole conversation: never cut."""

    language: str
    system: str | None
    turns: tuple[Turn, ...]
    kind: str

    def messages(self) -> list[Message]:
        messages = [{"role": "system", "content": self.system}] if self.system else []
        for turn in self.turns:
            messages.append({"role": "user", "content": turn.question})
            messages.append({"role": "assistant", "content": turn.answer})
        return messages


@dataclass
class Shop:
    """A synthetic shop: a name, a style of writing, and some facts with drawn values."""

    name: str
    language: str
    values: dict[str, dict[str, str]] = field(default_factory=dict)  # intent id → slot → text


class Writer:
    """Draws conversations. `held_out` switches to phrasings and values kept out of the corpus."""

    def __init__(self, rng: random.Random, *, held_out: bool = False):
        self.rng = rng
        self.held_out = held_out
        self.part = "measured" if held_out else "corpus"
        self.grammar = load()
        self.asides = _asides()

    # -- small draws -------------------------------------------------------------------------

    def pick(self, templates: list[Any]) -> Any:
        return self.rng.choice(templates)

    def dressing(self, key: str, language: str, **values: str) -> str:
        return draw(self.pick(self.grammar.dressing[key][language]), self.rng, values)

    def _bank(self, key: str, language: str) -> list[Any]:
        """Entries of a dressing bank that has a held-out part."""
        entry = self.grammar.dressing[key]
        kept = entry.get("held_out", {}).get(language)
        if self.held_out and kept:
            return kept
        return entry[language]

    def question_of(self, intent: Intent, language: str) -> str:
        aside = self.asides[language].get(intent.id)
        if not self.held_out and aside and self.rng.random() < INDIRECT + BARE:
            trader = Trader(self.rng, language)
            if self.rng.random() < BARE / (INDIRECT + BARE):
                return trader.bare(self.pick(aside["words"]))
            good = trader.side(self.pick(trader.trade["goods"]))
            return draw(self.pick(aside["ask"]), self.rng, trader.any_of(good))
        bank = intent.held_out if self.held_out else intent.questions
        return draw(self.pick(bank[language]), self.rng)

    def dress(self, question: str, language: str) -> str:
        """What people write around a question: a greeting, a story, thanks, haste, typos."""
        rng = self.rng
        joint = "" if language == "ja" else " "
        parts = [question]
        if rng.random() < 0.16:
            parts.insert(0, self.dressing("stories", language))
        if rng.random() < 0.18:
            parts.insert(0, self.dressing("greetings", language))
        if rng.random() < 0.08:
            if not self.held_out and rng.random() < 0.8 and parts[-1][-1] not in ".?!。？！":
                parts[-1] += "。" if language == "ja" else "."
            parts.append(self.dressing("thanks_after", language))
        text = joint.join(parts)
        if rng.random() < 0.10:
            text = with_typo(text, language, rng)
        if rng.random() < 0.12:
            text = text.rstrip("?？。.")
        if language == "en" and rng.random() < 0.14:
            text = text.lower()
        elif language == "ja" and rng.random() < 0.10:
            text = text.replace("？", "?")
        if not self.held_out and rng.random() < TYPED:
            text = typed(text, language, rng)
        return text

    # -- shops -------------------------------------------------------------------------------

    def shop(self, language: str, intents: list[Intent]) -> Shop:
        style = Style.draw(language, self.rng)
        names = self._bank("shop_names", language)
        shop = Shop(draw(self.pick(names), self.rng), language)
        for intent in intents:
            shop.values[intent.id] = {
                slot: draw_value(kind, language, style, self.rng, held_out=self.held_out)
                for slot, kind in intent.slots.items()
            }
        return shop

    def some_intents(self) -> list[Intent]:
        """A shop's facts: often a few, sometimes all, in any order."""
        rng = self.rng
        total = len(self.grammar.intents)
        low, high = rng.choice([(0.03, 0.13), (0.1, 0.3), (0.1, 0.3), (0.27, 0.6), (0.6, 1.0)])
        count = max(1, round(total * rng.uniform(low, high)))
        chosen = rng.sample(self.grammar.intents, count)
        if rng.random() < 0.5:
            chosen.sort(key=self.grammar.intents.index)
        return chosen

    def facts_prompt(self, shop: Shop) -> str:
        """The system prompt that lists a shop's facts, often in the course's own layout."""
        rng, language = self.rng, shop.language
        headers = self.grammar.dressing["facts_header"][language]
        plain = rng.random() < 0.4
        header = fill(
            headers[0] if plain else draw(self.pick(headers), rng, {"shop": shop.name}),
            {"shop": shop.name},
        )
        lines = [
            draw(self.pick(self.grammar.intent(key).statement[language]), rng, values)
            for key, values in shop.values.items()
        ]
        if plain:
            return "\n".join([header, *(f"- {line}" for line in lines)])
        layout = rng.choice(["- ", "- ", "* ", "・", "", "prose"])
        if layout == "prose":
            stop = "。" if language == "ja" else "."
            joint = "" if language == "ja" else " "
            closed = [line if line.endswith((".", "。")) else line + stop for line in lines]
            return header + ("\n" if rng.random() < 0.5 else joint) + joint.join(closed)
        return "\n".join([header, *(layout + line for line in lines)])

    def system_without_facts(self, language: str) -> str | None:
        roll = self.rng.random()
        if roll < 0.62:
            return None
        if roll < 0.68:  # an instruction in the other language must not change the answer's
            language = "ja" if language == "en" else "en"
        return self.dressing("systems_without_facts", language)

    # -- turns -------------------------------------------------------------------------------

    def fact_turn(self, shop: Shop, intent: Intent, *, dressed: bool = True) -> Turn:
        question = self.question_of(intent, shop.language)
        if dressed:
            question = self.dress(question, shop.language)
        values = shop.values[intent.id]
        answer = draw(self.pick(intent.answers[shop.language]), self.rng, values)
        return Turn(question, answer, "fact", intent.id, tuple(values.values()))

    def missing_turn(self, shop: Shop) -> Turn:
        """A question on something that the listed facts do not cover."""
        language = shop.language
        absent = [i for i in self.grammar.intents if i.id not in shop.values]
        if absent and self.rng.random() < ABSENT[self.part]:
            intent = self.pick(absent)
            question = self.question_of(intent, language)
            name, intent_id = draw(self.pick(intent.name[language]), self.rng), intent.id
        else:
            entry = self.pick(self._bank("other_questions", language))
            question = draw(entry["question"], self.rng)
            name, intent_id = draw(entry["name"], self.rng), None
        if self.rng.random() < 0.85:
            answer = self.dressing("not_in_information", language, name=name)
            answer = answer[0].upper() + answer[1:]
        else:
            answer = self.dressing("not_in_information_unnamed", language)
        return Turn(self.dress(question, language), answer, "missing", intent_id)

    def vague_turn(self, language: str) -> Turn:
        if self.rng.random() < 0.12:
            entry = self.pick(self._bank("other_questions", language))
            question = draw(entry["question"], self.rng)
            if not self.held_out and self.rng.random() < 0.5:
                trader = Trader(self.rng, language)
                question = trader.question(self.pick(trader.offers(1)))
            return Turn(
                self.dress(question, language), self.dressing("off_facts_vague", language), "vague"
            )
        intent = self.pick(list(self.grammar.intents))
        answer = draw(self.pick(intent.vague[language]), self.rng)
        return Turn(
            self.dress(self.question_of(intent, language), language), answer, "vague", intent.id
        )

    def offer_turn(self, trader: Trader, offers: list[Offer]) -> Turn:
        """A question on one of a shop's offers, or on two that belong together."""
        rng, language = self.rng, trader.language
        pairs = [pair for pair in trader.joint(offers, 1.0)[0] if "ask" in pair[0]]
        if pairs and not self.held_out and rng.random() < 0.35:
            entry, *both = self.pick(pairs)
            keys = tuple(offer.keys[0] for offer in both)
            question = draw(self.pick(entry["ask"]), rng)
            answer = draw(self.pick(entry["say"]), rng, dict(zip("01", keys, strict=True)))
            return Turn(self.dress(question, language), answer, "fact", both[0].id, keys)
        offer = self.pick(offers)
        if offer.intents and rng.random() < 0.3:
            question = self.question_of(self.grammar.intent(offer.intents[0]), language)
        else:
            question = trader.question(offer)
        return Turn(
            self.dress(question, language), trader.answer(offer), "fact", offer.id, offer.keys
        )

    def no_offer_turn(self, trader: Trader, offers: list[Offer]) -> Turn:
        """A question on an offer that another shop of the trade might make."""
        language = trader.language
        there = {offer.id for offer in offers}
        while True:
            offer = self.pick(trader.offers(1))
            if offer.id not in there and not any(trader.clash(offer, o) for o in offers):
                break
        name = offer.word
        answer = self.dressing("not_in_information", language, name=name)
        if self.rng.random() < 0.15:
            answer = self.dressing("not_in_information_unnamed", language)
        question = self.dress(trader.question(offer), language)
        return Turn(question, answer[0].upper() + answer[1:], "missing", offer.id)

    def outside_turn(self, language: str) -> Turn:
        question, answer = Trader(self.rng, language, held_out=self.held_out).outside()
        return Turn(self.dress(question, language), answer, "outside")

    def small_talk_turn(self, language: str) -> Turn:
        entry = self.pick(self._bank("small_talk", language))
        answer = draw(self.pick(entry["answers"]), self.rng)
        return Turn(draw(entry["question"], self.rng), answer, "small_talk")

    def general_turn(self, language: str) -> Turn:
        rng = self.rng
        part = "held_out" if self.held_out else "questions"
        if rng.random() < ARITHMETIC[self.part]:
            return self._arithmetic_turn(language, part)
        entry = self.pick(self.grammar.general["facts"])
        side = entry[language]
        question = draw(self.pick(side[part]), rng)
        if rng.random() < 0.25 and not self.held_out:
            question = self.dress(question, language)
        return Turn(
            question,
            draw(self.pick(side["answers"]), rng),
            "general",
            entry["kind"],
            tuple(side["key"]),
        )

    def _arithmetic_turn(self, language: str, part: str) -> Turn:
        rng = self.rng
        kind = rng.choice(["add", "add", "sub", "sub", "counting"])
        if kind == "counting":
            a = rng.randint(0, 19)
            b, c, bank = 0, a + 1, self.grammar.general["counting"][0]
        else:
            c = rng.randint(0, 20)
            a = rng.randint(0, c)
            b = c - a
            if kind == "sub":
                a, c = c, a
            bank = next(e for e in self.grammar.general["arithmetic"] if e["kind"] == kind)
        values = {"a": str(a), "b": str(b), "c": str(c)}
        side = bank[language]
        question = draw(self.pick(side[part]), rng, values)
        return Turn(
            question, draw(self.pick(side["answers"]), rng, values), "general", kind, (str(c),)
        )

    # -- conversations -----------------------------------------------------------------------

    def chain(self, turns: list[Turn], language: str) -> tuple[Turn, ...]:
        """Later questions of a chat often begin with a connector."""
        out = []
        for index, turn in enumerate(turns):
            question = turn.question
            if index and self.rng.random() < 0.3:
                connector = self.dressing("follow_ups", language)
                question = connector + ("" if language == "ja" else " ") + question
            out.append(replace(turn, question=question))
        return tuple(out)

    def with_facts(
        self, language: str, *, turns: int | None = None, kind: str | None = None
    ) -> Talk:
        """A shop's facts in the system prompt; each question on one of them or on none of them."""
        rng = self.rng
        intents = self.some_intents()
        shop = self.shop(language, intents)
        system = self.facts_prompt(shop)
        asked = []
        # A long list of facts pays off only when it is asked many times.
        count = turns or (rng.randint(3, 10) if len(intents) > 8 else rng.randint(1, 6))
        for _ in range(count):
            roll = rng.random()
            if kind == "missing" or (kind is None and roll < MISSING):
                asked.append(self.missing_turn(shop))
            elif kind is None and roll < MISSING + 0.04:
                asked.append(self.small_talk_turn(language))
            elif kind is None and roll < MISSING + 0.09:
                asked.append(self.general_turn(language))
            else:
                asked.append(self.fact_turn(shop, self.pick(intents)))
        return Talk(language, system, self.chain(asked, language), kind or "with_facts")

    def any_shop(self, language: str, *, turns: int | None = None, kind: str | None = None) -> Talk:
        """A shop of any trade; its prompt is written as people write, on topics of its own."""
        rng = self.rng
        trader = Trader(rng, language, held_out=self.held_out)
        offers = trader.offers(rng.choice([1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 10, 12]))
        name = trader.shop_name()
        if rng.random() < 0.25:
            name = draw(self.pick(self._bank("shop_names", language)), rng)
        system = trader.prompt(name, offers, _statements()[language])
        asked = []
        for _ in range(turns or rng.randint(1, 6)):
            roll = rng.random()
            if kind == "missing" or (kind is None and roll < 0.16):
                asked.append(self.no_offer_turn(trader, offers))
            elif kind is None and roll < 0.24:
                make = rng.choice([self.missing_of_intents, self.general_turn, self.outside_turn])
                asked.append(make(language))
            else:
                asked.append(self.offer_turn(trader, offers))
        return Talk(language, system, self.chain(asked, language), kind or "any_shop")

    def missing_of_intents(self, language: str) -> Turn:
        """A question on something that no topic of `any_shop` covers."""
        entry = self.pick(self._bank("other_questions", language))
        name = draw(entry["name"], self.rng)
        answer = self.dressing("not_in_information", language, name=name)
        question = self.dress(draw(entry["question"], self.rng), language)
        return Turn(question, answer[0].upper() + answer[1:], "missing")

    def outside(self, language: str, *, turns: int | None = None) -> Talk:
        asked = [self.outside_turn(language) for _ in range(turns or self.rng.choice([1, 1, 2]))]
        return Talk(language, self.system_without_facts(language), tuple(asked), "outside")

    def without_facts(self, language: str, *, turns: int | None = None) -> Talk:
        rng = self.rng
        asked = [
            self.small_talk_turn(language)
            if index and rng.random() < 0.15
            else self.vague_turn(language)
            for index in range(turns or rng.choice([1, 1, 1, 2, 3]))
        ]
        return Talk(
            language,
            self.system_without_facts(language),
            self.chain(asked, language),
            "without_facts",
        )

    def general(self, language: str, *, turns: int | None = None) -> Talk:
        asked = [
            self.general_turn(language) for _ in range(turns or self.rng.choice([1, 1, 2, 3, 4]))
        ]
        return Talk(
            language, self.system_without_facts(language), self.chain(asked, language), "general"
        )

    def small_talk(self, language: str) -> Talk:
        asked = [self.small_talk_turn(language) for _ in range(self.rng.choice([1, 1, 2]))]
        return Talk(
            language, self.system_without_facts(language), self.chain(asked, language), "small_talk"
        )

    def examples(self, language: str) -> Talk:
        """Few-shot: the facts stand only in example answers, in earlier turns or in the prompt."""
        rng = self.rng
        intents = rng.sample(self.grammar.intents, rng.randint(2, 6))
        shop = self.shop(language, intents)
        shown = [
            replace(self.fact_turn(shop, intent, dressed=False), learned=False)
            for intent in intents
        ]
        asked = [
            self.fact_turn(shop, self.pick(intents))
            if rng.random() < 0.75
            else self.missing_turn(shop)
            for _ in range(rng.choice([1, 1, 2]))
        ]
        if rng.random() < 0.6:
            return Talk(language, self.system_without_facts(language), (*shown, *asked), "examples")
        marks = ("質問：", "回答：") if language == "ja" else ("Q: ", "A: ")
        header = self.dressing("systems_without_facts", language)
        lines = [f"{marks[0]}{turn.question}\n{marks[1]}{turn.answer}" for turn in shown]
        return Talk(language, "\n".join([header, *lines]), self.chain(asked, language), "examples")

    def talk(self) -> Talk:
        """One conversation of the corpus."""
        language = "en" if self.rng.random() < ENGLISH else "ja"
        kind = self.rng.choices(list(MIX), list(MIX.values()))[0]
        writer = {
            "with_facts": self.with_facts,
            "any_shop": self.any_shop,
            "outside": self.outside,
            "without_facts": self.without_facts,
            "general": self.general,
            "small_talk": self.small_talk,
            "examples": self.examples,
        }[kind]
        return writer(language)


@lru_cache(maxsize=1)
def _asides() -> dict[str, dict[str, dict[str, list[str]]]]:
    """Language → intent → words of its topic, and questions that leave them out."""
    found: dict[str, dict[str, dict[str, list[str]]]] = {"en": {}, "ja": {}}
    for topic in bank()["topics"]:
        for intent in topic.get("intents", ()):
            for language in found:
                found[language][intent] = topic[language]
    return found


@lru_cache(maxsize=1)
def _statements() -> dict[str, dict[str, list[str]]]:
    """Language → topic → the lines that the intent of the same value is stated in."""
    found: dict[str, dict[str, list[str]]] = {"en": {}, "ja": {}}
    for topic in bank()["topics"]:
        for key in topic.get("intents", ()):
            intent = load().intent(key)
            if len(intent.slots) == 1:
                (slot,) = intent.slots
                for language, lines in found.items():
                    lines[topic["id"]] = [
                        line.replace("{" + slot + "}", "{v}") for line in intent.statement[language]
                    ]
    return found


def chunk(number: int, size: int, seed: int = 0) -> list[Talk]:
    """Conversations number `number * size` and following: the same on every machine."""
    writer = Writer(random.Random(f"mame-{seed}-{number}"))
    return [writer.talk() for _ in range(size)]
