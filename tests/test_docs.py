"""The guides: links that resolve, commands that exist, and the same in both languages."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from guides import (
    LANGUAGES,
    README,
    ROOT,
    anchors,
    blocks,
    commands,
    entries,
    guides,
    headings,
    prose,
    read,
    spans,
    texts,
    workshop_words,
)

from workshop_helpers.cli.main import build_parser
from workshop_helpers.gguf.header import TYPES

PAGES = [
    "beyond", "clean-up", "colab", "corrections", "mac", "models", "ollama", "presenting", "rows",
    "troubleshooting",
]  # fmt: skip
# Variables that other programs read, and ours does not: a name that is neither here nor in the code
# is misspelt.
FOREIGN = {"OLLAMA_MODELS", "LLAMA_CUBLAS"}
WITH_COMMANDS = ("sh", "powershell", "python")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


every_page = pytest.mark.parametrize("path", texts(), ids=name_of)


# The English and the Japanese page of each text.
PAIRS = [(ROOT / README["en"], ROOT / README["ja"])] + [
    (ROOT / "docs" / "en" / f"{page}.md", ROOT / "docs" / "ja" / f"{page}.md") for page in PAGES
]
every_pair = pytest.mark.parametrize(("english", "japanese"), PAIRS, ids=name_of)


@every_page
def test_links_and_images_resolve(path: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(read(path)))
    assert targets
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = unquote(target).partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.is_relative_to(ROOT) and found.exists(), target
        if anchor:
            assert anchor in anchors(read(found)), target


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_guide_is_reached_from_the_readme(language: str) -> None:
    assert guides(language) == PAGES
    text = read(ROOT / README[language])
    for page in PAGES:
        assert f"](docs/{language}/{page}.md)" in text


@pytest.mark.parametrize("page", PAGES)
def test_a_guide_leads_back_and_to_its_other_language(page: str) -> None:
    for language, other in (("en", "ja"), ("ja", "en")):
        top = "\n".join(read(ROOT / "docs" / language / f"{page}.md").splitlines()[:5])
        assert f"](../{other}/{page}.md)" in top
        assert f"](../../{README[language]}#" in top


@every_pair
def test_both_languages_have_the_same_headings(english: Path, japanese: Path) -> None:
    levels = [[level for level, _ in headings(read(path))] for path in (english, japanese)]
    assert levels[0] == levels[1]


def alike(command: str) -> str:
    """A command without what may differ between the languages: quoted questions, the language of
    files and facts.
    """
    command = re.sub(r'"[^"]*"', '"…"', command)
    command = re.sub(r"\.(en|ja)\.(?=jsonl)", ".LANGUAGE.", command)
    return re.sub(r"(--facts|--language) (en|ja)\b", r"\1 LANGUAGE", command)


@every_pair
def test_both_languages_have_the_same_commands(english: Path, japanese: Path) -> None:
    def code(path: Path) -> list[tuple[str, list[str]]]:
        return [(kind, [alike(c) for c in commands(body)]) for kind, body in blocks(read(path))]

    assert code(english) == code(japanese)


# The READMEs were written each on its own, and name a file more or less in their prose.
@pytest.mark.parametrize(("english", "japanese"), PAIRS[1:], ids=name_of)
def test_both_languages_name_the_same_things(english: Path, japanese: Path) -> None:
    """Options, files, variables and commands in the running text."""

    def named(path: Path) -> set[str]:
        return {alike(span) for span in spans(read(path)) if span.isascii()}

    assert named(english) == named(japanese)


@every_page
def test_commands_in_blocks_parse(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = build_parser()
    for kind, body in blocks(read(path)):
        if kind not in WITH_COMMANDS:
            continue
        for command in commands(body):
            words = workshop_words(command)
            if words is None:
                continue
            code = 0
            try:
                parser.parse_args(words)
            except SystemExit as leaving:  # --help leaves with 0
                code = int(leaving.code or 0)
            assert code == 0, f"{command}\n{capsys.readouterr().err}"


def verb(parser: argparse.ArgumentParser, words: list[str]) -> argparse.ArgumentParser:
    """The parser of the verb that the words name; fails where they name none."""
    for word in words:
        subparsers = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        if not subparsers or word.startswith("-"):
            break
        assert word in subparsers[0].choices, f"workshop has no {word}"
        parser = subparsers[0].choices[word]
    return parser


@every_page
def test_commands_in_the_text_name_verbs_and_options_that_exist(path: Path) -> None:
    for span in spans(read(path)):
        words = workshop_words(span)
        if not words or words == ["…"]:
            continue
        found = verb(build_parser(), words)
        options = {option for action in found._actions for option in action.option_strings}
        for word in words:
            assert not word.startswith("-") or word.partition("=")[0] in options, span


@every_page
def test_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    said = spans(read(path)) + [c for _, body in blocks(read(path)) for c in commands(body)]
    for command in said:
        found = re.match(r"make ([a-z][a-z-]*)", command)
        assert found is None or found[1] in targets, command


@every_page
def test_variables_of_the_environment_are_read_somewhere(path: Path) -> None:
    sources = [*(ROOT / "workshop_helpers").rglob("*.py"), *(ROOT / "tests").glob("*.py")]
    code = "\n".join(read(source) for source in sources if source.name != "test_docs.py")
    code += read(ROOT / "Makefile")
    # What a quoted message says is its author's affair.
    shown = [body for kind, body in blocks(read(path)) if kind in WITH_COMMANDS]
    named = re.findall(
        r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", "\n".join([*spans(read(path)), *shown])
    )
    for name in set(named) - set(TYPES) - FOREIGN:
        assert re.search(rf"\b{name}\b", code), f"{name} is read nowhere"


@pytest.mark.parametrize("page", [page for page in PAGES if page != "troubleshooting"])
def test_a_guide_says_at_its_top_what_was_not_run(page: str) -> None:
    for language, words in (
        ("en", r"did not run|not run by the project"),
        ("ja", "実行して確かめ"),
    ):
        top = read(ROOT / "docs" / language / f"{page}.md").partition("\n## ")[0]
        assert re.search(words, " ".join(top.split())), f"{language}/{page}"


def test_both_languages_quote_the_same_messages() -> None:
    english, japanese = entries("en"), entries("ja")
    assert list(english) == list(japanese)
    for name, entry in english.items():
        assert entry.messages == japanese[name].messages, name
        assert entry.marked == japanese[name].marked, name
