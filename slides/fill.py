"""Fill the placeholders of a deck from results/*.json, the agenda and the notebooks.

What a placeholder says is in README.md beside this file. Nothing is guessed: what is unknown,
missing or stale is told with its slide, its line and the reason, all of it at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from workshop_helpers.core.agenda import PLANNED, SECTIONS
from workshop_helpers.core.cards import file_hash
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.models.catalogue import CATALOGUE
from workshop_helpers.stage.scenes import scenes

ROOT = Path(__file__).resolve().parents[1]
PLACEHOLDER = re.compile(r"(?<!\\)\{\{(.*?)\}\}")
ESCAPED = r"\{{"  # `\{{ .Prompt }}` is shown as `{{ .Prompt }}`
DIAGRAM = re.compile(r"(\(diagrams/[\w-]+)(\.svg\))")
SECTION = re.compile(r"<!-- _class: section ([\w-]+)")
# A part of a path: `name`, `["a name with a dot"]`, `[field=value,…]` or `[all field=value,…]`.
PART = re.compile(
    r"""\[(?P<all>all\s+)?(?P<where>[\w-]+=[^\]]*)\]
    | \["(?P<quoted>[^"]+)"\]
    | \.?(?P<name>[^.\[\]]+)""",
    re.VERBOSE,
)
UNITS = {"s": {"en": " s", "ja": " 秒"}, "mb": {"en": " MB", "ja": " MB"}}


class Unfilled(Exception):
    """Why a placeholder cannot be filled."""


def fill(text: str, language: str, name: str = "the deck", root: Path = ROOT) -> str:
    """`text` of a deck in `language` ("en" or "ja") with every placeholder filled; a picture
    diagrams/NAME.svg becomes the one of the language.

    `name` is what an error calls the deck, `root` where results/, data/ and notebooks/ lie. Raises
    WorkshopError with a line for each placeholder that cannot be filled.
    """
    filler, problems, lines = Filler(language, root), [], []
    for slide, number, line in numbered(text):

        def filled(match: re.Match[str], slide: int = slide, number: int = number) -> str:
            try:
                return filler(match[1].strip())
            except (Unfilled, WorkshopError) as reason:
                problems.append(f"{name}, slide {slide}, line {number}: {match[0]}: {reason}")
                return match[0]

        line = PLACEHOLDER.sub(filled, line).replace(ESCAPED, "{{")
        lines.append(DIAGRAM.sub(rf"\1.{language}\2", line))
    if problems:
        raise WorkshopError("Placeholders that cannot be filled:\n" + "\n".join(problems))
    return "\n".join(lines) + "\n"


def numbered(text: str) -> Iterator[tuple[int, int, str]]:
    """Each line with the number of its slide and its own, both from 1; slide 0 is the header."""
    slide, fence = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and (not fence or line.strip() == fence):
            fence = "" if fence else mark[1]
        # the first two rules are those of the header
        if line.rstrip() == "---" and not fence and number > 1:
            slide += 1
        yield slide, number, line


def section_slides(text: str) -> dict[str, tuple[int, int]]:
    """The first and the last slide of each section of a deck, filled or not; what comes behind the
    sections is counted to the last one.
    """
    first: dict[str, int] = {}
    slide = 0
    for slide, _, line in numbered(text):
        if match := SECTION.match(line):
            first[match[1]] = slide
    ends = [start - 1 for start in [*first.values()][1:]] + [slide]
    return {name: (start, end) for (name, start), end in zip(first.items(), ends, strict=True)}


class Filler:
    """Says what a placeholder stands for, in one language."""

    def __init__(self, language: str, root: Path) -> None:
        self.language, self.root = language, root
        self._read = cache(self._results)  # a file is read once for each deck
        self._cells = cache(self._scenes)

    def __call__(self, placeholder: str) -> str:
        """What stands instead of `placeholder`. Raises Unfilled."""
        kind, _, rest = placeholder.partition(" ")
        says: dict[str, Callable[[str], str]] = {
            "cell": self._cell,
            "minutes": self._minutes,
            "total": lambda _: f"{sum(section.minutes for section in SECTIONS):g}",
            "planned": lambda _: f"{PLANNED:g}",
            "result": self._result,
            "size": self._size,
            "machine": self._machine,
            "date": self._date,
        }
        if kind not in says:
            raise Unfilled(f"unknown; known are {', '.join(says)}")
        return says[kind](rest.strip())

    def _scenes(self) -> dict[str, str]:
        found = scenes(self.language, self.root / "notebooks")
        return {scene.name: f"{scene.notebook[:2]} [{scene.number}]" for scene in found}

    def _cell(self, name: str) -> str:
        if name not in self._cells():
            raise Unfilled(f"no scene {name}; core/agenda.py has {', '.join(self._cells())}")
        return self._cells()[name]

    def _minutes(self, name: str) -> str:
        minutes = {section.name: section.minutes for section in SECTIONS}
        if name not in minutes:
            raise Unfilled(f"no section {name}; core/agenda.py has {', '.join(minutes)}")
        return f"{minutes[name]:g}"

    def _results(self, name: str) -> Any:
        path = self.root / "results" / f"{name}.json"
        if not path.is_file():
            raise Unfilled(f"there is no results/{name}.json")
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.get("quick"):
            raise Unfilled(f"results/{name}.json is of a quick run; measure it in full: make bench")
        measured = data["model"].get("files", data["model"])
        for file, known in measured.items():
            if self._hash(file) != known:
                raise Unfilled(
                    f"stale: results/{name}.json was measured with another {file} than data/mame "
                    f"has now; measure it again: make bench"
                )
        return data

    def _hash(self, file: str) -> str | None:
        path = self.root / "data" / "mame" / file
        return file_hash(path) if path.is_file() else None

    def _result(self, rest: str) -> str:
        match = re.fullmatch(r"([\w-]+)\s+(.+?)\s*\|\s*(\w+)(\s+range)?", rest)
        if match is None:
            raise Unfilled("write {{result FILE PATH | FORMAT}}, with `range` behind it or not")
        file, path, form, ranged = match.groups()
        if form not in FORMATS:
            raise Unfilled(f"no format {form}; there are {', '.join(FORMATS)}")
        return shown(self._look_up(file, path), form, bool(ranged), self.language)

    def _look_up(self, file: str, path: str) -> Any:
        return look_up(self._read(file), re.sub(r"\bLANG\b", self.language, path))

    def _size(self, rest: str) -> str:
        """How large the weights of a model of the catalogue are with so many bits each."""
        parts = rest.split(maxsplit=2)
        if len(parts) != 3:
            raise Unfilled("write {{size MODEL FILE PATH}}, PATH leading to bits per weight")
        name, file, path = parts
        if name not in CATALOGUE:
            raise Unfilled(f"the catalogue has no model {name}")
        bits = self._look_up(file, path)
        if not isinstance(bits, (int, float)):
            raise Unfilled(f"{path} is no number of bits")
        return f"{bits * CATALOGUE[name].parameters / 8 / 1e9:.1f} GB"

    def _machine(self, file: str) -> str:
        found = self._read(file).get("machine")
        if found is None:
            raise Unfilled(f"results/{file}.json names no machine")
        cores = {"en": f"{found['cores']} cores", "ja": f"{found['cores']}コア"}[self.language]
        parts = [found["cpu"], cores, f"{found['memory_gb']} GB", found["os"]]
        gpu = found.get("accelerator") or "none"
        parts += [gpu] if gpu != "none" else []
        return {"en": ", ", "ja": "、"}[self.language].join(parts)

    def _date(self, file: str) -> str:
        made = self._read(file).get("made")
        if made is None:
            raise Unfilled(f"results/{file}.json has no date")
        day = datetime.fromisoformat(made.replace("Z", "+00:00"))
        if self.language == "ja":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {day:%B} {day.year}"


def look_up(data: Any, path: str) -> Any:
    """What stands in `data` at `path`. Raises Unfilled.

    With a selector `[all …]` these are several values, and the outcome is their
    {"median": …, "min": …, "max": …}.
    """
    found, several, end = [data], False, 0
    for part in PART.finditer(path):
        if part.start() != end:
            break
        end = part.end()
        if part["where"]:
            found = [entry for one in found for entry in _where(one, part["where"])]
            if not found:
                raise Unfilled(f"no entry has {part['where']}")
            if len(found) > 1 and not (several or part["all"]):
                raise Unfilled(f"{len(found)} entries have {part['where']}; name one, or write all")
            several = several or bool(part["all"])
        else:
            found = [_field(one, part["quoted"] or part["name"]) for one in found]
    if end != len(path):
        raise Unfilled(f"the path is not understood from here on: {path[end:]}")
    if not several:
        return found[0]
    if not all(isinstance(one, (int, float)) for one in found):
        raise Unfilled(f"not all of the {len(found)} values are numbers")
    return {"median": median(found), "min": min(found), "max": max(found)}


def _field(entry: Any, name: str) -> Any:
    if not isinstance(entry, dict):
        raise Unfilled(f"{name} is asked of {type(entry).__name__}; pick one with [field=value]")
    if name not in entry:
        raise Unfilled(f"no {name} there; there are {', '.join(map(str, entry))}")
    return entry[name]


def _where(entries: Any, where: str) -> Iterator[Any]:
    """The entries of a list whose fields have these values: `rows=100,language=ja`."""
    if not isinstance(entries, list):
        raise Unfilled(f"[{where}] picks from a list, and there is none")
    wanted = [pair.split("=", 1) for pair in where.split(",")]
    for entry in entries:
        if all(_same(_field(entry, pair[0].strip()), pair[-1].strip()) for pair in wanted):
            yield entry


def _same(value: Any, text: str) -> bool:
    """Is the value what `text` says? 0.003 is also 3e-3."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(text) == value
        except ValueError:
            return False
    return str(value) == text


def _share(value: float, digits: int) -> str:
    """A share as per cent, rounded down: 94.96 % must not read as the 95 % it misses."""
    scale = 10**digits
    return f"{int(value * 100 * scale + 1e-6) / scale:.{digits}f} %"


def _number(value: float) -> str:
    """Four significant digits, with thousands separated."""
    whole = isinstance(value, int) or abs(value) >= 1000
    return f"{value:,.0f}" if whole else f"{value:.4g}"


def _seconds(value: float) -> str:
    """As many digits as people want of a time: 0.083, 1.4, 91."""
    return f"{value:.2g}" if value < 1 else f"{value:.1f}" if value < 20 else f"{value:.0f}"


# How a figure is written: a function of the number, and its unit.
FORMATS: dict[str, tuple[Callable[[Any], str], str]] = {
    "text": (str, ""),
    "share": (lambda value: _share(value, 1), ""),
    "share0": (lambda value: _share(value, 0), ""),
    "number": (_number, ""),
    "whole": (lambda value: f"{value:,.0f}", ""),
    "fixed1": (lambda value: f"{value:.1f}", ""),
    "fixed2": (lambda value: f"{value:.2f}", ""),
    "small": (lambda value: f"{value:.1e}", ""),
    "seconds": (_seconds, "s"),
    "mb": (lambda value: f"{value / 1e6:.1f}", "mb"),
    "times": (lambda value: f"{value:.1f}×", ""),
}


def shown(value: Any, form: str, ranged: bool, language: str) -> str:
    """A value as a slide says it; of {median, min, max} the median, with `ranged` also the others.

    Raises Unfilled.
    """
    write, unit = FORMATS[form]
    spread = isinstance(value, dict) and {"median", "min", "max"} <= value.keys()
    if ranged and not spread:
        raise Unfilled("range is asked, but there is only one value")
    values = [value[key] for key in ("median", "min", "max")] if spread else [value]
    if any(one is None or isinstance(one, (dict, list)) for one in values):
        raise Unfilled(
            "there is no single figure at this place" if value else "it was not measured"
        )
    try:
        texts = [write(one) for one in values]
    except (TypeError, ValueError) as wrong:
        raise Unfilled(f"{form} cannot show {value!r}") from wrong
    suffix = UNITS[unit][language] if unit else ""
    if not ranged or texts[1] == texts[2]:
        return texts[0] + suffix
    return f"{texts[0]}{suffix} ({texts[1].removesuffix(' %')}–{texts[2].removesuffix(' %')})"
