"""What the shop promises, and whether an answer says it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.artifacts import data_path
from ..core.errors import WorkshopError, first_line
from ..core.wordings import LANGUAGES, say
from .surfaces import states

Surfaces = tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """One promise of the shop. `values[language]`: what must be said, in any surface."""

    id: str
    topic: str
    statement: dict[str, str]
    values: dict[str, tuple[Surfaces, ...]]
    name: dict[str, str]

    def stated(self, answer: str, language: str) -> bool:
        """Whether the answer says every value of the fact in one of its right surfaces."""
        return all(any(states(answer, s) for s in item) for item in self.values[language])


@dataclass
class ShopFacts:
    """What one shop promises; `shop_name[language]` is what it calls itself."""

    facts: tuple[Fact, ...]
    shop_name: dict[str, str]

    @classmethod
    def load(cls, path: str | Path | None = None) -> ShopFacts:
        """Read a facts file, or the bundled shop's. WorkshopError for an invalid file."""
        return _load(Path(path) if path is not None else data_path("shop", "facts.yaml"))

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.facts)

    def by_id(self, id: str) -> Fact:
        """The fact of that id; WorkshopError with the nearest ids where there is none."""
        import difflib

        for fact in self.facts:
            if fact.id == id:
                return fact
        near = difflib.get_close_matches(id, [fact.id for fact in self.facts], n=3)
        hint = f" Near ones: {', '.join(near)}." if near else ""
        raise WorkshopError(f'The shop has no fact "{id}".{hint}')

    def system_prompt(self, language: str, ids: Iterable[str] | None = None) -> str:
        """The facts as a system prompt in "en" or "ja"; all, or those of `ids` in that order."""
        if language not in LANGUAGES:
            raise WorkshopError(f'No facts are written in "{language}"; choose from en, ja.')
        facts = self.facts if ids is None else [self.by_id(id) for id in ids]
        opening = say("prompt.shop", language, name=self.shop_name[language])
        return "\n".join([opening, *(f"- {fact.statement[language]}" for fact in facts)])


def _load(path: Path) -> ShopFacts:
    import yaml  # type: ignore[import-untyped,unused-ignore]

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise WorkshopError(f"There is no facts file {path}.") from error
    except UnicodeDecodeError as error:
        raise WorkshopError(f"{path} is not UTF-8. Save it again as UTF-8.") from error
    except OSError as error:
        shown = f"{str(path)[:100]}: {error.strerror or error}"
        raise WorkshopError(f"The facts file cannot be read: {shown}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "unreadable"
        raise WorkshopError(
            f"{path}{line}: not valid YAML: {problem}. Put texts in double quotation marks."
        ) from error
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
        # PyYAML's own, for a date that is none, a number of thousands of digits, deep nesting …
        raise WorkshopError(
            f"{str(path)[:100]}: not valid YAML: {first_line(error)}. Put texts in double "
            "quotation marks."
        ) from error
    if not isinstance(document, dict) or not isinstance(document.get("facts"), list):
        raise WorkshopError(f"{path}: no list `facts:`.")
    shop = document.get("shop")
    name = shop.get("name") if isinstance(shop, dict) else None
    try:
        shop_name = _by_language(name, "shop: name")
        facts = tuple(_fact(entry, n) for n, entry in enumerate(document["facts"], start=1))
    except ValueError as error:
        raise WorkshopError(f"{path}: {error}") from error
    ids = [fact.id for fact in facts]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise WorkshopError(f"{path}: the id {twice[0]!r} is given to more than one fact.")
    return ShopFacts(facts, shop_name)


def _fact(entry: Any, number: int) -> Fact:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise ValueError(f"fact {number} has no `id`.")
    where = f"fact {entry['id']}"
    values = entry.get("values")
    if not isinstance(values, dict):
        raise ValueError(f"{where} has no `values`.")
    return Fact(
        id=entry["id"],
        topic=str(entry.get("topic") or entry["id"]),
        statement=_by_language(entry.get("statement"), f"{where}: statement"),
        values={la: surfaces(values.get(la), f"{where}: values: {la}") for la in LANGUAGES},
        name=_by_language(entry.get("name"), f"{where}: name"),
    )


def _by_language(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(value.get(la), str) for la in LANGUAGES):
        raise ValueError(f"{where} must have a text in `en` and one in `ja`.")
    return {language: value[language] for language in LANGUAGES}


def surfaces(value: Any, where: str) -> tuple[Surfaces, ...]:
    """A list of surfaces, or of lists of equally right ones, as tuples; else ValueError."""
    if not isinstance(value, list):
        raise ValueError(f"{where} must be a list of texts.")
    items = [tuple(item) if isinstance(item, list) else (item,) for item in value]
    for item in items:
        if not item or not all(isinstance(s, str) and s.strip() for s in item):
            raise ValueError(f"{where} must hold filled texts only, in quotation marks.")
    return tuple(items)
