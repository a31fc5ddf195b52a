"""A finding has words in both languages; a report its exit code, its JSON and its pages."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from bad_files import EXPECTED
from bad_files import report as report_on
from terminal import on_terminal

import workshop_helpers.dataset.checks
from workshop_helpers.core.wordings import entries
from workshop_helpers.dataset.checks import RULES, SEVERITIES, CheckReport, finding
from workshop_helpers.dataset.checks.content import NAMES
from workshop_helpers.dataset.checks.findings import Place, around, in_order, rule_text, shorten
from workshop_helpers.dataset.checks.secrets import KEYS
from workshop_helpers.dataset.checks.style import WAYS
from workshop_helpers.display.findings import afterword, findings_html, findings_table

# The names that scripts and notebooks rely on.
STABLE = """
invalid-json missing-field wrong-role wrong-order empty-question empty-answer encoding mojibake
control-character special-token html secret too-long too-short duplicate near-duplicate
conflicting-answers contradicting-fact low-diversity leakage pii-email pii-phone pii-card
pii-my-number pii-postal-code pii-address pii-name mixed-language mixed-politeness
mixed-number-format too-few unbalanced
""".split()  # noqa: SIM905
HERE = Place("rows.jsonl", 3)
NO_ROWS = "no-rows"
# Names that are English in Japanese, too; what is quoted may be in any language.
NAMED = re.compile(r"workshop data \w+|JSON (?:Lines|Web Token)|Webhook URL")
QUOTED = re.compile(r"「[^」]*」|（[^（）]*）")
ENGLISH = re.compile(r"[A-Za-z']{2,} [A-Za-z']{2,}")


def is_japanese(text: str) -> bool:
    """Whether, outside of what it quotes, a text has no two Latin words side by side."""
    bare = QUOTED.sub("", QUOTED.sub("", NAMED.sub("", text)))
    return bool(re.search("[ぁ-んァ-ヶ一-龥]", text)) and not ENGLISH.search(bare)


def test_every_rule_has_a_severity_and_words_and_nothing_else_has():
    assert set(STABLE) <= set(RULES)
    assert set(RULES.values()) == set(SEVERITIES)
    assert set(entries("rules")) == {f"{r}.{w}" for r in RULES for w in ("title", "why", "fix")}


def test_each_rule_is_said_in_english_and_in_japanese():
    for name, texts in entries("rules").items():
        assert is_japanese(texts["ja"]), name
        assert not re.search("[ぁ-んァ-ヶ一-龥]{4}", texts["en"].replace("です・ます", "")), name


def codes() -> Iterator[str]:
    """The codes that the checks use: literal ones, and those in the tables of detectors."""
    package = Path(workshop_helpers.dataset.checks.__file__).parent
    known = set(entries("checks"))
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
                if text.startswith("checks.") and len(text) > 7:
                    yield text.removeprefix("checks.")
                elif text in known:
                    yield text
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                method = isinstance(node.func, ast.Attribute)
                place = {"finding": 1 if method else 2, "_Fault": 3, "Span": 2, "word": 0}.get(name)
                plain = [one for one in node.args if not isinstance(one, ast.Starred)]
                if place is not None:  # a starred span stands for two
                    place -= 2 * (len(node.args) - len(plain))
                    code = plain[place] if 0 <= place < len(plain) else None
                    if isinstance(code, ast.Constant):
                        yield str(code.value)
    yield from (*KEYS, *NAMES.values())
    for what, _, ways in WAYS:
        yield from (what, *(way for way, _ in ways))


def test_every_code_is_in_the_table_and_every_entry_is_used():
    assert set(codes()) == set(entries("checks"))


def test_a_finding_takes_severity_reason_and_fix_from_its_rule():
    found = finding("duplicate", HERE, NO_ROWS, other=Place("rows.jsonl", 1))
    told = found.to_dict()
    assert found.severity == RULES["duplicate"]
    for what in ("why", "fix"):
        assert told[what] == rule_text("duplicate", what)
    assert told["other_line"] == 1
    assert "other_file" not in told
    elsewhere = finding("leakage", HERE, NO_ROWS, other=Place("test.jsonl", 9))
    assert elsewhere.other_file == "test.jsonl"


def test_an_unknown_rule_or_severity_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="not a rule"):
        finding("no-such-rule", HERE, NO_ROWS)
    with pytest.raises(ValueError, match="not a severity"):
        finding("html", HERE, NO_ROWS, severity="fatal")


@pytest.mark.parametrize(
    ("severities", "code"),
    [((), 0), (("note",), 0), (("note", "warning"), 1), (("warning", "error", "note"), 2)],
)
def test_the_exit_code_is_that_of_the_gravest_finding(severities, code):
    report = CheckReport([finding("html", HERE, NO_ROWS, severity=s) for s in severities])
    assert report.exit_code == code


def test_the_report_is_json_with_counts_by_rule():
    report = CheckReport([finding("html", HERE, NO_ROWS)] * 2, {"rows": 5})
    found = json.loads(json.dumps(report.to_dict()))
    assert found["summary"]["counts"] == {"html": 2}
    assert found["summary"]["rows"] == 5
    assert {"rule", "severity", "file", "line", "message", "fix"} <= set(found["findings"][0])
    # Findings beyond the list are counted.
    report = CheckReport([finding("html", HERE, NO_ROWS)], {}, {("html", "warning"): 5000})
    assert report.counts == {"html": 5000}


def test_findings_are_in_the_order_of_files_and_lines():
    places = [("b", 1), ("a", 2), ("a", 1)]
    found = in_order([finding("html", Place(*place), NO_ROWS) for place in places], ["b", "a"])
    assert [(f.file, f.line) for f in found] == [("b", 1), ("a", 1), ("a", 2)]


def test_excerpts_are_short_and_show_the_fault():
    text = "x" * 300 + "FAULT" + "y" * 300
    assert "FAULT" in around(text, 300, 305)
    assert len(around(text, 300, 305)) <= 165
    assert shorten("short") == "short"
    assert len(shorten(text)) == 160


def shown(document: str) -> Iterator[str]:
    """What the HTML report says of findings and files, without excerpts and headings."""
    for kind in ("<p>", "<span class=fix>", "<span class=reason>"):
        closing = kind.replace("<", "</").split(" ")[0].rstrip(">") + ">"
        yield from map(unescape, re.findall(f"{kind}(.*?){closing}", document, re.DOTALL))


@pytest.mark.parametrize("name", EXPECTED)
def test_the_japanese_report_on_a_bad_file_holds_no_english_sentence(name):
    report = report_on(name)
    texts = [text for text in shown(findings_html(report, "ja")) if not text.endswith(" UTC")]
    assert len(texts) >= len(report.findings)
    for text in (*texts, *(line.partition(": ")[2] or line for line in afterword(report, "ja"))):
        assert is_japanese(text), text


def test_the_english_report_stays_english():
    document = findings_html(report_on("amounts_same_question.jsonl"), "en")
    assert not re.search("[ぁ-んァ-ヶ]", "".join(shown(document)))


def test_the_terminal_speaks_japanese_too():
    table = findings_table(report_on("amounts_same_question_ja.jsonl"), "ja")
    for line in filter(str.strip, on_terminal(table, 400).splitlines()):
        assert re.search("[ぁ-んァ-ヶ一-龥]", line) or line.strip() in RULES, line
        assert not ENGLISH.search(NAMED.sub("", line)), line


def test_what_a_message_quotes_is_marked_in_the_excerpt():
    found = finding("placeholder", HERE, "never-filled", excerpt="Ask <TBD> & TBD.", said="TBD")
    shown = findings_html(CheckReport([found]))
    assert "Ask &lt;<mark>TBD</mark>&gt; &amp; <mark>TBD</mark>." in shown


def test_the_other_row_is_named_once():
    report = report_on("leak_exact.jsonl")
    (leak,) = report.of("leakage")
    (message,) = (t for t in shown(findings_html(report, "ja")) if "と同じ質問です" in t)
    assert message.count(Path(leak.other_file).name) == 1
    values = dict.fromkeys(("what", "way", "text", "usual", "sample"), "x")
    other = Place("folder/other.jsonl", 7)
    found = finding("mixed-number-format", HERE, "several-ways", other=other, n=2, **values)
    (message,) = (t for t in shown(findings_html(CheckReport([found]), "ja")) if "other" in t)
    assert message.endswith("です（other.jsonl の7行目を参照）。")
