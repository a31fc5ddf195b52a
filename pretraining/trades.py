"""Shops of many trades: prompts as people write them, on topics that only the prompt names.

A shop's offers are topics (`grammar/topics.yaml`) and what it sells and does, goods × services
(`grammar/trades.yaml`), several with values of one kind, so that the right one must be looked up.
`grammar/prompts.yaml` holds what stands around them. With `held_out` the trades, some services and
topics, the wordings of questions and the openers are others.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pretraining.grammar import draw, read_bank
from pretraining.values import Style, draw_value

# A kind of topic → kinds of values that it is given in.
UNITS = {
    "spell": ["days", "range_days", "weeks", "business_days"],
    "span": ["days", "days", "days", "weeks", "weeks", "months"],
    "short": ["minutes", "hours"],
    "long": ["months", "months", "years"],
    "time": ["minutes", "hours", "days", "weeks", "business_days"],
}
# Two offers that would answer each other's questions do not stand in one shop.
ALIKE = (
    {"repair_time", "repair"},
    {"weight_limit", "size"},
    {"old_goods", "disposal", "pick-up", "trade-in"},
    {"shipping_fee", "home delivery"},
    {"gift_wrap", "gift wrapping", "packing"},
    {"stock_hold", "storage", "winter storage", "uncollected"},
    {"tour", "inspection"},
)
LAYOUTS = {
    "semicolons": 20,
    "sentences": 16,
    "bullets": 18,
    "prose": 18,
    "labels": 8,
    "table": 4,
    "numbered": 4,
    "lines": 6,
    "commas": 6,
}


@dataclass(frozen=True)
class Offer:
    """One fact of a shop: how it is written, asked for and answered; `values` fill all of these."""

    id: str
    word: str  # what one calls it: in a table, and where it is missing
    values: dict[str, str]
    terse: list[str]
    prose: list[str]
    ask: list[str]
    say: list[str]
    keys: tuple[str, ...]
    intents: tuple[str, ...] = ()  # whose questions ask for it, too
    noun: str = ""  # of a service


@lru_cache(maxsize=1)
def bank() -> dict[str, Any]:
    return {**read_bank("trades"), **read_bank("topics"), "prompts": read_bank("prompts")}


def plural(noun: str) -> str:
    """The plural of a shop's article: "pair of boots" → "pairs of boots"."""
    first, of, rest = noun.partition(" of ")
    if first.endswith(("salmon", "trousers")):
        return noun
    for single, many in (("knife", "knives"), ("loaf", "loaves"), ("shelf", "shelves")):
        if first.endswith(single):
            return first.removesuffix(single) + many + of + rest
    if first.endswith("goose"):
        first = first.removesuffix("goose") + "geese"
    elif re.search(r"(s|x|ch|sh)$", first):
        first += "es"
    elif re.search(r"[^aeiou]y$", first):
        first = first[:-1] + "ies"
    else:
        first += "s"
    return first + of + rest


def with_article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def capitals(values: dict[str, str]) -> dict[str, str]:
    """`values`, each also under its name with a capital, for the beginning of a sentence."""
    return values | {k[0].upper() + k[1:]: v[:1].upper() + v[1:] for k, v in values.items()}


def tidy_lines(text: str) -> str:
    """`text` without spaces at the ends of lines, doubled spaces and empty lines."""
    return re.sub(r" *\n[ \n]*", "\n", re.sub(r"  +", " ", text)).strip()


class Trader:
    """Draws shops of many trades and what customers ask them."""

    def __init__(self, rng: random.Random, language: str, *, held_out: bool = False):
        self.rng, self.language, self.held_out = rng, language, held_out
        self.bank = bank()
        self.style = Style.draw(language, rng)
        sign = rng.choices(["$", "£", "€"], [8, 1, 1])[0]
        hour = rng.choices([":", "時"], [3, 1])[0] if language == "ja" else ":"
        self.style = replace(self.style, sign=sign, hour=hour)
        self.trade = rng.choice(self.bank["held_out_trades" if held_out else "trades"])

    def pick(self, options: list[Any]) -> Any:
        return self.rng.choice(options)

    def side(self, pair: str) -> str:
        """One language of "english|日本語"."""
        return pair.split("|")[self.language == "ja"].strip()

    def around(self, key: str) -> str:
        """A template of `prompts.yaml`, the held-out ones where there are some."""
        entry = self.bank["prompts"][key]
        return self.pick(((self.held_out and entry.get("held_out")) or entry)[self.language])

    # -- names and values --------------------------------------------------------------------

    def shop_name(self) -> str:
        kind = self.pick(self.side(self.trade["shop"]).split(", "))
        if self.language == "ja":
            kana = "アイウエオカキクケコサシスセタチツテトナニノハヒフマミムモヤユヨラリルレロワ"
            made = "".join(self.rng.choices(kana, k=self.rng.randint(2, 3)))
            made += self.pick(["", "ー", "ン", "ット", "ナ", "コ"])
            return draw(self.around("names"), self.rng, {"made": made}) + kind
        sounds = ["".join(self.rng.choices(c)[0] for c in ("bdfghklmnprstvz", "aeiou"))
                  for _ in range(self.rng.randint(1, 3))]  # fmt: skip
        made = "".join(sounds).capitalize() + self.pick(["", "n", "r", "co", "l", "s", "x"])
        return draw(self.around("names"), self.rng, {"made": made}) + " " + kind

    def value(self, kind: str) -> str:
        kind = self.pick(UNITS.get(kind, [kind]))
        return draw_value(kind, self.language, self.style, self.rng, held_out=self.held_out)

    def article(self, good: str) -> dict[str, str]:
        if self.language == "ja":
            return {"good": good}
        return capitals({"good": good, "goods": plural(good), "a_good": with_article(good)})

    def any_of(self, good: str) -> dict[str, str]:
        """The slots of topics for an article that is mentioned by the way."""
        if self.language == "ja":
            return {"any": good, "anys": good}
        return capitals({"any": good, "anys": plural(good), "a_any": with_article(good)})

    # -- offers ------------------------------------------------------------------------------

    def wordings(self, entry: dict[str, Any], key: str = "ask") -> list[str]:
        return entry.get("kept", entry[key]) if self.held_out and key == "ask" else entry[key]

    def work(self, kind: str) -> Offer:
        """A service on an article or an article's price: kind is fee, time or price."""
        good = self.side(self.pick(self.trade["goods"]))
        values = self.article(good)
        name, word = "", good
        if kind != "price":
            which = self.held_out and self.rng.random() < 0.5
            service = self.side(self.pick(self.bank["held_out_services" if which else "services"]))
            noun, *verbs = (part.strip() for part in service.split(","))
            names = ("te",) if self.language == "ja" else ("do", "done")
            values |= capitals({"noun": noun, **dict(zip(names, verbs, strict=True))})
            name = noun
            word = f"{good}の{noun}" if self.language == "ja" else f"{good} {noun}"
        slot = "time" if kind == "time" else "fee"
        values[slot] = self.value("time" if kind == "time" else "money")
        if kind == "time":
            asked = f"{word}にかかる時間" if self.language == "ja" else f"how long {word} takes"
        elif kind == "price" and self.language == "en":
            asked = plural(good)
        else:
            asked = word
        entry = self.bank[kind][self.language]
        return Offer(
            f"{kind} {word}", asked, values, entry["line"],
            entry["prose"], self.wordings(entry), entry["say"], (values[slot],), noun=name,
        )  # fmt: skip

    def topic(self, entry: dict[str, Any]) -> Offer:
        side = entry[self.language]
        any_good = self.side(self.pick(self.trade["goods"]))
        v = self.value(entry["kind"])
        values = capitals({"v": v}) | self.any_of(any_good)
        return Offer(
            entry["id"], self.pick(side["words"]), values, side["terse"], side["prose"],
            self.wordings(side), side["say"], (v,), tuple(entry.get("intents", ())),
        )  # fmt: skip

    def topics(self) -> list[dict[str, Any]]:
        if not self.held_out:
            return self.bank["topics"]
        return self.bank["topics"] + 3 * self.bank["held_out_topics"]

    def offers(self, count: int) -> list[Offer]:
        """`count` offers or a few more, no two alike; often many with values of one kind."""
        rng = self.rng
        found: dict[str, Offer] = {}
        share = self.pick([0.0, 0.3, 0.3, 0.5, 0.9])  # of goods and services
        kinds = self.pick([["fee"], ["fee", "time"], ["fee", "price"], ["price"], ["fee", "time"]])
        pool = self.topics()
        if rng.random() < 0.2:
            wanted = self.pick(["money", "money", "span", "percent", "long"])
            pool = [t for t in pool if t["kind"] == wanted]
        ids = {t["id"]: t for t in self.topics()}
        for _ in range(count):
            if rng.random() < share:
                offer = self.work(self.pick(kinds))
            else:
                offer = self.topic(self.pick(pool))
            found.setdefault(offer.id, offer)
            for first, second in (("opens", "closes"), ("phone_from", "phone_to")):
                if (first in found) != (second in found) and rng.random() < 0.85:
                    other = second if first in found else first
                    found[other] = self.topic(ids[other])
        offers: list[Offer] = []
        for offer in found.values():
            if not any(self.clash(offer, other) for other in offers):
                offers.append(offer)
        return offers

    @staticmethod
    def clash(one: Offer, other: Offer) -> bool:
        """Whether a question for the one may mean the other."""
        names = [{offer.id, offer.noun} for offer in (one, other)]
        return any(all(alike & name for name in names) for alike in ALIKE)

    def joint(self, offers: list[Offer], chance: float) -> tuple[list[Any], list[Offer]]:
        """Pairs of offers that share a line: [(entry, first, second)], and the offers left."""
        by_id, pairs = {o.id: o for o in offers}, []
        for entry in self.bank["joints"]:
            first, second = entry["of"]
            if first in by_id and second in by_id and self.rng.random() < chance:
                pairs.append((entry[self.language], by_id.pop(first), by_id.pop(second)))
        return pairs, list(by_id.values())

    # -- prompts -----------------------------------------------------------------------------

    def line(self, offer: Offer, layout: str, statements: dict[str, list[str]]) -> str:
        if layout == "prose":
            templates = offer.prose
            if offer.id in statements and self.rng.random() < 0.2:
                templates = statements[offer.id]
        else:
            templates = offer.terse
        return draw(self.pick(templates), self.rng, offer.values)

    def prompt(self, shop: str, offers: list[Offer], statements: dict[str, list[str]]) -> str:
        """The system prompt: an opener, the offers in one of the layouts, at times a last word."""
        rng, ja = self.rng, self.language == "ja"
        opener = draw(self.around("open"), rng, {"shop": shop})
        lead = self.around("lead")
        layout = rng.choices(list(LAYOUTS), list(LAYOUTS.values()))[0]
        if layout in ("labels", "table"):
            facts = self.labelled(offers, layout)
        else:
            facts = self.laid_out(offers, layout, statements)
        gap = "\n" if "\n" in facts or rng.random() < 0.2 else ("" if ja else " ")
        ended = opener.endswith((".", "!", "。", "！", "：", ":"))
        if not ended and not opener.startswith("#") and (lead or gap != "\n"):
            opener += self.pick(["。", "。", "\n"] if ja else [".", ":", " -", "\n"])
        space = "\n" if opener.startswith("#") else gap if ended else "" if ja else " "
        head = opener + space + lead
        after = ""
        if rng.random() < 0.15:
            after = (gap or self.pick(["\n", ""])) + draw(
                self.pick(self.bank["prompts"]["after"][self.language]), rng
            )
        if rng.random() < 0.06:
            return facts + "\n" + opener.strip() + after
        return tidy_lines(head + (gap if lead or ended else "\n") + facts + after)

    def labelled(self, offers: list[Offer], layout: str) -> str:
        """One label and value a line, as a table or as a form."""
        rows = [(offer.word, offer.keys[0]) for offer in offers]
        if layout == "table":
            return "\n".join(f"| {word} | {value} |" for word, value in rows)
        if self.language == "ja":
            mark = self.pick(["【{}】{}", "■{}：{}", "{}：{}", "{}　{}", "・{}…{}"])
        else:
            mark = self.pick(["{}: {}", "- {}: {}", "{} = {}", "{} ... {}", "{} - {}"])
            if self.rng.random() < 0.5:
                rows = [(word[0].upper() + word[1:], value) for word, value in rows]
        return "\n".join(mark.format(word, value) for word, value in rows)

    def laid_out(self, offers: list[Offer], layout: str, statements: dict[str, list[str]]) -> str:
        rng, ja = self.rng, self.language == "ja"
        pairs, alone = self.joint(offers, 0.8 if layout != "prose" else 0.4)
        lines = [self.line(offer, layout, statements) for offer in alone]
        for entry, first, second in pairs:
            text = self.pick(entry["line"]).format(first.keys[0], second.keys[0])
            lines.append(text)
        if rng.random() < 0.2:  # not everything that a shop writes is asked for
            lines.append(draw(self.pick(self.bank["prompts"]["noise"][self.language]), rng))
        rng.shuffle(lines)
        if layout in ("semicolons", "commas"):
            mark = ("；" if rng.random() < 0.3 else "。") if ja else "; "
            if layout == "commas":
                mark = "、" if ja else ", "
            return mark.join(line.rstrip(".。") for line in lines) + ("。" if ja else ".")
        if layout in ("sentences", "prose"):
            closed = [line if line.endswith((".", "。")) else line + ("。" if ja else ".")
                      for line in lines]  # fmt: skip
            return ("" if ja else " ").join(line[0].upper() + line[1:] for line in closed)
        marks = {"bullets": self.pick(["- ", "* ", "・", "• "]), "lines": ""}
        if not ja and rng.random() < 0.5:
            lines = [line[0].upper() + line[1:] for line in lines]
        if layout == "numbered":
            return "\n".join(f"{i}. {line}" for i, line in enumerate(lines, 1))
        return "\n".join(marks[layout] + line for line in lines)

    # -- questions ---------------------------------------------------------------------------

    def bare(self, word: str) -> str:
        """A question that is hardly more than the topic's word."""
        return draw(
            self.pick(self.bank["prompts"]["bare"][self.language]), self.rng, {"word": word}
        )

    def question(self, offer: Offer) -> str:
        if not self.held_out and self.rng.random() < 0.15:
            return self.bare(offer.word)
        return draw(self.pick(offer.ask), self.rng, offer.values)

    def answer(self, offer: Offer) -> str:
        return draw(self.pick(offer.say), self.rng, offer.values)

    def outside(self) -> tuple[str, str]:
        """A question that no shop answers, and an honest answer."""
        answers = self.bank["prompts"]["outside_answers"][self.language]
        return draw(self.around("outside"), self.rng), draw(self.pick(answers), self.rng)
