"""A finding carries its rule's words, and a report its exit code and its JSON."""

from __future__ import annotations

import json
import re

import pytest

from workshop_helpers.dataset.checks import RULES, SEVERITIES, CheckReport, finding
from workshop_helpers.dataset.checks.findings import Place, around, in_order, shorten

# The names that scripts and notebooks rely on.
STABLE = """
invalid-json missing-field wrong-role wrong-order empty-question empty-answer encoding mojibake control-character
special-token html secret too-long too-short duplicate near-duplicate conflicting-answers contradicting-fact
low-diversity leakage pii-email pii-phone pii-card pii-my-number pii-postal-code pii-address pii-name mixed-language
mixed-politeness mixed-number-format too-few unbalanced
""".split()  # noqa: SIM905
HERE = Place("rows.jsonl", 3)


def test_every_stable_rule_name_is_known():
    assert set(STABLE) <= set(RULES)


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_says_why_and_what_to_do_in_both_languages(name):
    rule = RULES[name]
    assert rule.name == name
    assert rule.severity in SEVERITIES
    assert all((rule.title, rule.why, rule.fix))
    assert all(
        re.search("[ぁ-ヶ一-龥]", text) for text in (rule.title_ja, rule.why_ja, rule.fix_ja)
    )
    assert not re.search("[ぁ-ん一-龥]{4}", rule.why.replace("です・ます", ""))


def test_a_finding_takes_severity_reason_and_fix_from_its_rule():
    found = finding("duplicate", HERE, "Twice.", other=Place("rows.jsonl", 1))
    assert (found.severity, found.why, found.fix) == (
        RULES["duplicate"].severity,
        RULES["duplicate"].why,
        RULES["duplicate"].fix,
    )
    assert found.to_dict()["other_line"] == 1
    assert "other_file" not in found.to_dict()


def test_a_finding_names_the_other_file_where_it_is_another_one():
    assert finding("leakage", HERE, "", other=Place("test.jsonl", 9)).other_file == "test.jsonl"


def test_an_unknown_rule_or_severity_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="no rule"):
        finding("no-such-rule", HERE, "")
    with pytest.raises(ValueError, match="no severity"):
        finding("html", HERE, "", severity="fatal")


@pytest.mark.parametrize(
    ("severities", "code"),
    [((), 0), (("note",), 0), (("note", "warning"), 1), (("warning", "error", "note"), 2)],
)
def test_the_exit_code_is_that_of_the_gravest_finding(severities, code):
    report = CheckReport([finding("html", HERE, "", severity=s) for s in severities])
    assert report.exit_code == code


def test_the_report_is_json_with_counts_by_rule():
    report = CheckReport([finding("html", HERE, "a"), finding("html", HERE, "b")], {"rows": 5})
    found = json.loads(json.dumps(report.to_dict()))
    assert found["summary"]["counts"] == {"html": 2}
    assert found["summary"]["rows"] == 5
    assert {"rule", "severity", "file", "line", "message", "fix"} <= set(found["findings"][0])


def test_findings_beyond_the_list_are_counted():
    report = CheckReport([finding("html", HERE, "")], {}, {("html", "warning"): 5000})
    assert report.counts == {"html": 5000}


def test_findings_are_in_the_order_of_files_and_lines():
    places = [("b", 1), ("a", 2), ("a", 1)]
    found = in_order([finding("html", Place(*place), "") for place in places], ["b", "a"])
    assert [(f.file, f.line) for f in found] == [("b", 1), ("a", 1), ("a", 2)]


def test_excerpts_are_short_and_show_the_fault():
    text = "x" * 300 + "FAULT" + "y" * 300
    assert "FAULT" in around(text, 300, 305)
    assert len(around(text, 300, 305)) <= 165
    assert shorten("short") == "short"
    assert len(shorten(text)) == 160
