"""Both decks tell the same talk, and it is the talk of the agenda."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest
import yaml

from slides.build import LANGUAGES, filled, source
from slides.fill import DIAGRAM, PLACEHOLDER, ROOT, fill, numbered, section_slides
from workshop_helpers.core.agenda import PLANNED, SECTIONS
from workshop_helpers.stage.scenes import scenes

DIRECTIVE = re.compile(r"<!--\s*_?(class|paginate|backgroundColor|header|footer):(.*?)-->")
NOTE = re.compile(r"<!--(?!\s*_?(?:class|paginate|backgroundColor|header|footer):)(.*?)-->", re.S)


@dataclass
class Slide:
    """A slide of a deck's source."""

    number: int
    text: str

    @property
    def classes(self) -> list[str]:
        """Its classes, such as ["section", "what"]."""
        return [
            word for d in DIRECTIVE.finditer(self.text) if d[1] == "class" for word in d[2].split()
        ]

    @property
    def section(self) -> str | None:
        """The section that it opens."""
        return self.classes[1] if self.classes[:1] == ["section"] else None

    @property
    def seen(self) -> str:
        """What the audience sees: without comments."""
        return re.sub(r"<!--.*?-->", "", self.text, flags=re.S)

    @property
    def notes(self) -> list[str]:
        return [note[1].strip() for note in NOTE.finditer(self.text)]

    @property
    def cells(self) -> list[str]:
        return re.findall(r"\{\{cell ([\w-]+)\}\}", self.seen)

    def shape(self) -> dict[str, object]:
        """What is the same in both languages."""
        return {
            "classes": self.classes,
            "headings": re.findall(r"^(#+) ", self.seen, flags=re.M),
            "cells": self.cells,
            "figures": sorted(
                re.sub(r"\b(ja|en)\b", "LANG", one) for one in PLACEHOLDER.findall(self.seen)
            ),
            "pictures": re.findall(r"!\[.*?\]\((.*?)\)", self.seen),
            "rows of tables": len(re.findall(r"^\|", self.seen, flags=re.M)),
            "points": len(re.findall(r"^\s*(?:[-*]|\d+\.) ", self.seen, flags=re.M)),
            "code": len(re.findall(r"^```", self.seen, flags=re.M)),
            "boxes": re.findall(r'class="([\w -]+)"', self.seen),
        }


def slides(language: str) -> list[Slide]:
    found: dict[int, list[str]] = {}
    for number, _, line in numbered(source(language).read_text(encoding="utf-8")):
        found.setdefault(number, []).append(line)
    return [Slide(n, "\n".join(lines[1:])) for n, lines in found.items() if n > 0]


def by_section(language: str) -> Iterator[tuple[str | None, Slide]]:
    """Each slide with the section in which it stands; None before the first."""
    section = None
    for slide in slides(language):
        section = slide.section or section
        yield section, slide


def test_both_decks_have_the_same_slides_in_the_same_order():
    ja, en = slides("ja"), slides("en")
    for one, other in zip(ja, en, strict=False):
        assert one.shape() == other.shape(), f"slide {one.number}: {one.seen}\n{other.seen}"
    assert len(ja) == len(en)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_deck_has_a_header_that_marp_knows(language):
    header = source(language).read_text(encoding="utf-8").split("---\n")[1]
    found = yaml.safe_load(header)
    assert (found["marp"], found["theme"], found["lang"]) == (True, "talk", language)
    assert found["title"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sections_are_those_of_the_agenda_and_their_minutes_add_up(language):
    opening = [slide for slide in slides(language) if slide.section]
    assert [slide.section for slide in opening] == [section.name for section in SECTIONS]
    minutes = []
    for slide in opening:
        assert PLACEHOLDER.findall(slide.seen) == [f"minutes {slide.section}"], slide.seen
        shown = re.search(r"(\d+) ?(?:分|minutes)", fill(slide.seen, language))
        assert shown, slide.seen
        minutes.append(int(shown[1]))
    everything = PLACEHOLDER.findall("\n".join(slide.seen for slide in slides(language)))
    assert {"total", "planned"} <= set(everything)
    assert sum(minutes) == int(fill("{{total}}", language))
    assert sum(minutes[:-1]) == int(fill("{{planned}}", language)) == PLANNED


def test_the_sections_follow_each_other():
    text = source("ja").read_text(encoding="utf-8")
    assert section_slides(text) == section_slides(filled("en"))
    ends = list(section_slides(text).values())
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(ends))
    assert ends[-1][1] == len(slides("ja"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_cell_is_shown_in_its_own_section(language):
    section_of = {scene.name: scene.section for scene in scenes(language, ROOT / "notebooks")}
    astray = [
        f"slide {slide.number} in {section}: {cell} is of {section_of[cell]}"
        for section, slide in by_section(language)
        for cell in slide.cells
        if section not in (section_of[cell], "summary", None)
    ]
    assert astray == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_slide_has_one_heading_and_a_note(language):
    for slide in slides(language):
        assert len(re.findall(r"^#{1,2} ", slide.seen, flags=re.M)) == 1, slide.text
        assert len(slide.notes) == 1 and slide.notes[0], slide.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_diagram_is_there_in_the_language(language):
    text = filled(language)
    for match in DIAGRAM.finditer(source(language).read_text(encoding="utf-8")):
        name = f"{match[1][1:]}.{language}.svg"
        assert name in text and (ROOT / "slides" / name).is_file()
