"""Small bad files: each gives the findings that a careful reader would give, and no other error."""

from __future__ import annotations

import codecs
import importlib.util
import sys
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from bad_files import BAD, EXPECTED, OPTIONS, listed, report
from training_rows import talk

from workshop_helpers.dataset.checks import check_rows
from workshop_helpers.dataset.checks.findings import RULES, Finding
from workshop_helpers.dataset.formats import Conversation, write_conversations

RULES_OF_THE_ISSUE = {
    "invalid-json", "missing-field", "wrong-role", "wrong-order", "empty-question",
    "empty-answer", "encoding", "mojibake", "control-character", "special-token", "html",
    "too-long", "too-short", "duplicate", "near-duplicate", "conflicting-answers",
    "contradicting-fact", "low-diversity", "leakage", "pii-email", "pii-phone", "pii-card",
    "pii-my-number", "pii-postal-code", "pii-address", "pii-name", "mixed-language",
    "mixed-politeness", "mixed-number-format", "too-few", "unbalanced",
}  # fmt: skip  # "secret" is tested below: its files are not stored


def fits(found: Finding, wanted: dict[str, Any]) -> bool:
    """Whether the finding is the wanted one; what an expectation does not name may be anything."""
    other_file = wanted.get("other_file")
    return (
        found.rule in listed(wanted["rule"])
        and found.severity in listed(wanted.get("severity", "error"))
        and ("line" not in wanted or found.line == wanted["line"])
        and ("other_line" not in wanted or found.other_line == wanted["other_line"])
        and (other_file is None or Path(found.other_file or "").name == other_file)
    )


@cache
def maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_bad", BAD / "make_bad.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_bad"] = module  # a dataclass looks its module up by name
    spec.loader.exec_module(module)
    return module


def test_there_are_enough_bad_files_and_each_rule_is_broken_several_times() -> None:
    assert len(EXPECTED) >= 120
    broken = [
        r
        for wanted in EXPECTED.values()
        for r in {r for one in wanted for r in listed(one["rule"])}
    ]
    for rule in RULES_OF_THE_ISSUE:
        assert broken.count(rule) >= 2, rule
    assert set(broken) - {"invalid-csv", "unreadable"} <= set(RULES) | {"secret"}


def unpacked(name: str, content: bytes) -> bytes:
    # How hard gzip packs differs between versions; what is packed must not.
    return zlib.decompressobj(31).decompress(content) if name.endswith(".gz") else content


def test_the_stored_files_are_what_the_script_writes() -> None:
    written = maker().contents()
    stored = {p.name for p in BAD.iterdir() if p.is_file() and p.name != "make_bad.py"}
    assert stored == set(written)
    for name, content in written.items():
        assert unpacked(name, (BAD / name).read_bytes()) == unpacked(name, content), name


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bad_file_gives_the_expected_findings_and_no_other_error(name: str) -> None:
    found = report(name).findings
    shown = "\n".join(map(str, found))
    for wanted in EXPECTED[name]:
        assert any(fits(f, wanted) for f in found), f"{wanted} is not among:\n{shown}"
    for f in found:
        if f.severity == "error":
            assert any(fits(f, wanted) for wanted in EXPECTED[name]), f"{f}\namong:\n{shown}"
        assert f.message and f.fix and f.file


@pytest.mark.parametrize("name", [n for n, o in OPTIONS.items() if "encoding_said" in o])
def test_an_encoding_that_is_read_rightly_is_said(name: str) -> None:
    (source,) = report(name).summary["files"]
    said = codecs.lookup(source["encoding"]).name
    assert said == codecs.lookup(OPTIONS[name]["encoding_said"]).name
    assert source["reason"]


def secrets() -> dict[str, str]:
    """Keys of the shapes that services give out, put together here so that no file holds one."""
    letters = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYz"
    begin, end = "-----" + "BEGIN ", "-----" + "END "
    return {
        "openai": "sk" + "-proj-" + letters + letters[:15],
        "anthropic": "sk" + "-ant-" + "api03-" + letters + letters,
        "github": "gh" + "p_" + (letters + letters)[:36],
        "aws": "AK" + "IA" + "Q3EXWZ5RTB7NLM2V",
        "google": "AI" + "za" + "Sy" + letters,
        "hugging-face": "h" + "f_" + letters + "A",
        "slack": "xox" + "b-" + "123456789012-123456789012-" + letters[:24],
        "private-key": f"{begin}RSA PRIVATE KEY-----\n{letters * 2}\n{end}RSA PRIVATE KEY-----",
    }


@pytest.mark.parametrize("kind", secrets())
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_key_in_an_answer_is_found_and_not_repeated(
    kind: str, language: str, tmp_path: Path
) -> None:
    key = secrets()[kind]
    rows = {
        "en": [talk("How do I open it?", "Ask at the desk."), talk("Sign in?", f"Use this: {key}")],
        "ja": [
            talk("入り方は？", "窓口でお尋ねください。"),
            talk("認証は？", f"次のキーです。{key}"),
        ],
    }[language]
    file = tmp_path / "rows.jsonl"
    write_conversations(rows, file, format="alpaca")
    found = check_rows(file, quick=True, progress=False).findings
    assert {(f.rule, f.line) for f in found if f.severity == "error"} == {("secret", 2)}, found
    # What is secret must not stand in the report either.
    body = key.splitlines()[1] if kind == "private-key" else key
    assert not any(body in text for f in found for text in (f.excerpt, f.message, f.fix))


PASSWORD = 'Put password = "' + "hV7" + "q!mZ2" + 'xT9w" into the settings.'


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("rows.csv", talk("Which token?", secrets()["github"])),
        ("rows.jsonl", talk("How do I sign in?", PASSWORD)),
        ("rows.jsonl", talk(f"Is {secrets()['github']} valid?", "No, it was withdrawn.")),
    ],
    ids=["table", "password", "question"],
)
def test_a_key_is_found_wherever_it_stands(tmp_path: Path, name: str, row: Conversation) -> None:
    rows = [talk("Where is the lift?", "Behind the stairs."), row]
    write_conversations(rows, tmp_path / name, format="question/answer")
    found = check_rows(tmp_path / name, quick=True, progress=False).findings
    line = 3 if name.endswith("csv") else 2
    assert ("secret", line) in {(f.rule, f.line) for f in found}, found
