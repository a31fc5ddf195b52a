"""The Japanese report is Japanese throughout: every sentence that a reader or a check can write has
its twin.
"""

from __future__ import annotations

import argparse
import ast
import codecs
import gzip
import json
import re
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path
from string import Formatter

import pytest
from bad_files import EXPECTED
from bad_files import report as report_on

import workshop_helpers
from workshop_helpers.cli.data import add_data_verbs
from workshop_helpers.dataset.checks import content, style
from workshop_helpers.dataset.checks.findings import CheckReport, Place, finding
from workshop_helpers.dataset.formats import open_rows
from workshop_helpers.dataset.formats.faults import Fault
from workshop_helpers.display import japanese as twins
from workshop_helpers.display.findings import afterword, findings_html
from workshop_helpers.display.japanese import japanese

PACKAGE = Path(workshop_helpers.__file__).parent
# Names that are English in Japanese, too.
NAMES = re.compile(r"workshop data \w+|JSON (?:Lines|Web Token)|Webhook URL")
QUOTED = re.compile(r"「[^」]*」|（[^（）]*）|\{[^}]*\}")
ENGLISH = re.compile(r"[A-Za-z']{2,} [A-Za-z']{2,}")


def is_japanese(text: str) -> bool:
    """Whether a sentence is Japanese: outside of what it quotes, no two Latin words stand side by
    side.
    """
    bare = QUOTED.sub("", QUOTED.sub("", NAMES.sub("", text)))
    return bool(re.search("[ぁ-んァ-ヶ一-龥]", text)) and not ENGLISH.search(bare)


# -- what the source can say ---------------------------------------------------------------------

# What stands for a value in a sentence, by the expression that gives it; any other is "1".
SAMPLES = {
    "consistency": {"where": "line 1 of other.jsonl"},
    "personal": {"where": "The answer", "span.what": "a postal code"},
    "repetition": {"alike": "87%"},
    "size": {"what": "question", "text!r": "'?'"},
    "content": {
        "', '.join(names[:5])": "U+0007 (bell), U+0000 (NUL)",
        "number": "the control character",
        "word": "token",
        "'script' if script else 'HTML'": "script",
        "secret.kind": "a Slack webhook",
    },
    "style": {
        "what.capitalize()": "Dates",
        "way": "as Y/M/D",
        "used[0]": "as D Month Y",
        **dict.fromkeys(("names[asked]", "names[rare]"), "English"),
        **dict.fromkeys(("names[said]", "names[common]"), "Japanese"),
        "names[not few]": "plain form (だ・である)",
        "names[few]": "です・ます",
    },
}


def words(node: ast.expr | None, module: str) -> str:
    """A string of the source with samples for its values; "" for what is no string, or no more than
    a value.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    pieces, literal = [], ""
    for part in node.values:
        if isinstance(part, ast.Constant):
            pieces.append(part.value)
            literal += part.value
            continue
        assert isinstance(part, ast.FormattedValue)
        name = ast.unparse(part.value) + ("!r" if part.conversion == ord("r") else "")
        sample = "90%" if part.format_spec and "%" in ast.unparse(part.format_spec) else "1"
        if "kind(" in name:
            sample = "number"
        elif name.startswith("_of("):
            sample = ""
        elif name.startswith("SPOKEN.get"):
            sample = "EUC-JP"
        pieces.append(SAMPLES.get(module, {}).get(name, sample))
    return "".join(pieces) if re.search("[A-Za-z]{2}", literal) else ""


def called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def functions(path: Path) -> Iterator[ast.AST]:
    """The source's statements, without the functions that write files: a check only reads."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not (isinstance(node, ast.FunctionDef) and "write" in node.name):
            yield from ast.walk(node)


def said_by_checks() -> Iterator[str]:
    for path in sorted((PACKAGE / "dataset" / "checks").rglob("*.py")):
        module = path.parent.name if path.stem == "__init__" else path.stem
        if module in ("clean", "split"):
            continue
        for node in functions(path):
            if called(node) == "finding":
                assert isinstance(node, ast.Call)
                given = [*node.args[2:3], *(k.value for k in node.keywords if k.arg == "fix")]
                if module not in ("content", "leakage"):  # they put their sentences together
                    yield from (words(one, module) for one in given)
            elif isinstance(node, ast.FunctionDef) and node.name == "_order":
                returns = [one for one in ast.walk(node) if isinstance(one, ast.Return)]
                yield from (words(one.value, module) for one in returns)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name, text = node.targets[0].id, words(node.value, module)
                if name in ("words", "fix") and text.endswith("."):
                    yield text
                elif name == "what" and module == "content" and text[-1:] in (".", "1"):
                    yield f"The answer {text}"


PUT_TOGETHER = [
    # Sentences that are made of several strings, or that come from elsewhere.
    "The same question as line 1 of held_out.jsonl.",
    "Nearly (82%) the same question as line 3 of folder/held_out.jsonl.",
    "The same content words, in another order, as line 1 of held_out.jsonl.",
    "But for courtesies nearly (77%) the same question as line 1 of held_out.jsonl.",
    "Nearly the same as line 1 (only case, spaces or punctuation differ).",
    '"9:00", "1 hour" here, "10:00", "2 hours" in line 4.',
    '"500円" here, "600円" in line 4 of other.jsonl and 3 more rows.',
    "1,083 tokens; max_length is 128. The last 955 tokens of the answer would be cut.",
    "494 tokens; max_length is 128. The prompt alone has 476: nothing of the answer would be learned.",
    "The chat template refuses these messages (user, user): Conversation roles must alternate.",
    'The answer is garbled: "caf".',
    'The question (turn 3) is garbled: "cafÃ©" was "café".',
    "The answer holds a character lost in a wrong decoding (U+FFFD �).",
    "The answer holds 2 characters lost in a wrong decoding (U+FFFD �).",
    "The answer holds 3 Windows line ends: U+000D U+000A (CR LF).",
    "The answer holds 2 invisible characters: U+200B (zero-width space), U+202E.",
    "The system prompt holds the control tokens <|im_start|>, <|im_end|>.",
    "The answer holds HTML: <br>, </b>",
    "Write line ends as \\n alone.",
    "the encoding is unknown; it may be cp1251.",
    "the encoding is unknown: as EUC-JP it has no kana at all.",
    "the file is UTF-32, not UTF-8.",
    "the file is no text: it is full of zero bytes.",
    "the file is UTF-16 without a byte order mark, or no text at all.",
    "the gzip file is damaged here (CRC check failed 0x1 != 0x2).",
    "the gzip file is damaged here (Compressed file ended before the end-of-stream marker was reached).",
    'turn 1 of "messages": "role" is empty.',
    'turn 1 of "messages": no field "content"; "text" looks like it:',
    'no field "instruction" (the row has: none).',
    '"systemInstruction" has no "parts".',
    'write "system or user or assistant".',
    'write "user".',
    "no speed is measured for qwen; give a speed with --tokens-per-second, or train on ten rows and see",
    "no measured speed is at hand; give a speed with --tokens-per-second, or train on ten rows and see",
    "results/speed.json: mame, 100 rows, on Intel Core i7, 2 cores",
    "the speed that was given",
    # What the json module says; it is put into a sentence of the reader's.
    "Expecting value.",
    "Expecting ',' delimiter.",
    "Expecting ':' delimiter.",
    "Expecting property name enclosed in double quotes.",
    "Illegal trailing comma before end of object.",
    "Extra data.",
    "Invalid \\escape.",
    "Invalid \\escape: 'x'.",
    "Invalid \\uXXXX escape.",
]
ALL = sorted({*said_by_checks(), *PUT_TOGETHER} - {""})


def test_the_source_is_found_to_say_much() -> None:
    assert len(ALL) > 80


@pytest.mark.parametrize("text", ALL)
def test_every_sentence_of_the_source_has_a_japanese_twin(text: str) -> None:
    said = japanese(text)
    assert said != text
    assert is_japanese(said), said


def test_both_sentences_of_a_pair_have_the_same_values() -> None:
    def names(template: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(template) if name}

    for table in (twins._SENTENCES, twins._CONTAINERS, twins._CODINGS, twins._ROWS):
        for english, template in table:
            # What a library says in English is left out.
            assert names(english) - names(template) <= {"rest", "kind", "format"}, english
            assert names(template) <= names(english), english


def strings(*modules: Path) -> set[str]:
    trees = [ast.parse(module.read_text(encoding="utf-8")) for module in modules]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return {node.value for node in nodes if isinstance(node.value, str)}


def test_every_kind_of_personal_data_and_of_secret_has_a_japanese_name() -> None:
    quality = PACKAGE / "dataset" / "checks"
    said_there = strings(
        *(quality / "personal").glob("*.py"),
        quality / "content.py",
        quality / "secrets.py",
    )
    kinds = {text for text in said_there if A_THING.fullmatch(text)}
    assert len(kinds) > 30
    for kind in kinds:
        said = japanese(f"The answer holds {kind}: 1…").removesuffix("（1…）があります。")
        what = said.removeprefix("回答に")
        assert re.fullmatch(r"(\w[\w -]*の)?[^a-z]*(JSON Web Token|Webhook URL)?", what), kind


A_THING = re.compile(r"an? [\w' -]+|what looks like [a-z ]+")


def test_every_way_to_write_a_figure_has_a_japanese_name() -> None:
    for what, _, ways in style._WAYS:
        for way, _ in ways:
            text = f'{what.capitalize()} {way} ("1"), where 2 rows write them {way} ("1").'
            assert is_japanese(japanese(text)), text


def test_every_character_has_a_japanese_name() -> None:
    for name in content._KNOWN.values():
        said = japanese(f"The answer holds the control character: U+0000 ({name}).")
        assert not re.search("[a-z]", said), said


def test_a_sentence_that_is_not_known_stays_as_it_is() -> None:
    assert japanese("Something new has been found.") == "Something new has been found."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'The same question as line 1, but "600円" where that says "500円".',
            "1行目と同じ質問ですが、1行目の「500円」が、ここでは「600円」になっています。",
        ),
        ('"instruction" is empty.', "項目「instruction」が空です。"),
        (
            "The same row as line 1,204 of a folder/b of c.jsonl.",
            "b of c.jsonl の1,204行目と同じ行です。",
        ),
        (
            'turn 2 of "messages": no field "content"; "text" looks like it:',
            "「messages」の2番目の発言：項目「content」がありません。代わりに、よく似た項目「text」があります。",
        ),
        (
            'no field "output" (the row has: "a", "b, "c").',
            '項目「output」がありません（この行の項目：「a」「b, "c」）。',
        ),
        ("The answer is only '。'.", "回答が「。」だけです。"),
        (
            "The answer holds an AWS access key: AKIA…",
            "回答にAWSのアクセスキー（AKIA…）があります。",
        ),
    ],
)
def test_values_are_put_where_japanese_has_them(text: str, said: str) -> None:
    assert japanese(text) == said


# -- how a file was read -------------------------------------------------------------------------

ROW = {"instruction": "閉館は何時ですか？", "output": "午後五時に閉まります。"}
LINE = json.dumps(ROW, ensure_ascii=False) + "\n"
TABLE = "質問,回答\n閉館は何時ですか？,午後五時に閉まります。\n"
TYPED = "質問：閉館は何時ですか？\n回答：午後五時に閉まります。\n"
FILES: dict[str, bytes] = {
    "rows.jsonl": LINE.encode(),
    "ascii.jsonl": b'{"instruction": "When?", "output": "At five."}\n',
    "marked.jsonl": codecs.BOM_UTF8 + LINE.encode(),
    "sjis.jsonl": (LINE * 3).encode("cp932"),
    "jis.csv": TABLE.encode("iso2022_jp"),
    "euc.tsv": (TABLE * 3).replace(",", "\t").encode("euc_jp"),
    "packed.jsonl.gz": gzip.compress(LINE.encode()),
    "damaged.jsonl.gz": gzip.compress(LINE.encode())[:40],
    "broken_bytes.jsonl": (LINE * 9).encode() + b"\xff\xfe\n",
    "list.json": json.dumps([ROW], ensure_ascii=False).encode(),
    "object.json": json.dumps(ROW, ensure_ascii=False, indent=1).encode(),
    "lines.json": (LINE * 2).encode(),
    "neither.json": b"hello\n",
    "typed.txt": TYPED.encode(),
    "typed": TYPED.encode(),
    "table": TABLE.encode(),
    "nothing_known": "こんにちは\n".encode(),
    "book.xls": b"\xd0\xcf\x11\xe0" + bytes(12),
    "book.xlsx": b"PK\x03\x04" + bytes(12),
    "named.parquet": b"no parquet",
    "archive.zst": b"\x28\xb5\x2f\xfd" + bytes(12),
    "wide.jsonl": codecs.BOM_UTF32_LE + LINE.encode("utf-32-le"),
    "zeros.jsonl": b"{" + bytes(200),
    "western.jsonl": '{"instruction": "Où est le café?", "output": "Là-bas."}\n'.encode("cp1252"),
    "prompt.jsonl": b'{"prompt": "When?", "completion": "At five."}\n',
    "messages.jsonl": b'{"messages": [{"role": "user", "content": "When?"}]}\n',
    "columns.csv": b"Frage,Antwort\nWann?,Um f\xc3\xbcnf.\n",
}


@pytest.mark.parametrize("name", FILES)
def test_how_a_file_was_read_is_said_in_japanese(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    with open_rows(path) as rows:
        reason = rows.source.reason
        faults = [row for row in rows if isinstance(row, Fault)]
    for wording in (reason, *(half for fault in faults for half in (fault.message, fault.fix))):
        assert is_japanese(wording.said("ja")), f"{wording} → {wording.said('ja')}"


def test_what_was_asked_for_is_said_in_japanese(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(LINE.encode())
    columns = {"question": "instruction", "answer": "output"}
    for asked in ({"format": "alpaca"}, {"columns": columns}, {"encoding": "utf-8"}):
        with open_rows(path, **asked) as rows:  # type: ignore[arg-type]
            said = rows.source.reason.said("ja")
            assert is_japanese(said), said


# -- the reports ---------------------------------------------------------------------------------


def shown(document: str) -> Iterator[str]:
    """What the HTML report says of findings and files, without excerpts and headings."""
    for kind in ("<p>", "<span class=fix>", "<span class=reason>"):
        closing = kind.replace("<", "</").split(" ")[0].rstrip(">") + ">"
        yield from map(unescape, re.findall(f"{kind}(.*?){closing}", document, re.DOTALL))


@pytest.mark.parametrize("name", EXPECTED)
def test_the_japanese_report_on_a_bad_file_holds_no_english_sentence(name: str) -> None:
    report = report_on(name)
    texts = list(shown(findings_html(report, "ja")))
    assert len(texts) >= len(report.findings)
    for text in texts:
        if not text.endswith(" UTC"):
            assert is_japanese(text), text
    for line in afterword(report, "ja"):
        assert is_japanese(line.partition(": ")[2] or line), line


def test_the_english_report_stays_english() -> None:
    report = report_on("amounts_same_question.jsonl")
    document = findings_html(report, "en")
    for found in report.findings:
        assert escape(found.message) in document
    assert not re.search("[ぁ-んァ-ヶ]", "".join(shown(document)))


def test_the_other_row_is_named_once(tmp_path: Path) -> None:
    other = Place("folder/other.jsonl", 7)
    words = 'Dates as M/D/Y ("1/2/2025"), where 2 rows write them as Y-M-D ("2025-01-03").'
    found = [
        finding(
            "duplicate",
            Place("a.jsonl", 9),
            "The same row as line 7 of folder/other.jsonl.",
            other=other,
        ),
        finding("mixed-number-format", Place("a.jsonl", 9), words, other=other),
    ]
    first, second = (t for t in shown(findings_html(CheckReport(found), "ja")) if "other" in t)
    assert first == "other.jsonl の7行目と同じ行です。"
    assert second.endswith("形式（「2025-01-03」）です（other.jsonl の7行目を参照）。")


def test_the_terminal_says_all_in_japanese(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(LINE + LINE + '{"instruction": ""}\n', encoding="utf-8")
    parser = argparse.ArgumentParser()
    add_data_verbs(parser.add_subparsers())
    words = ["data", "check", str(path), "--language", "ja", "--tokens-per-second", "9"]
    args = parser.parse_args([*words, "--html", str(tmp_path / "r.html")])
    assert args.run(args) == 2
    said = capsys.readouterr().out
    assert "1行目と同じ行です。" in said
    assert "項目「instruction」が空です。 → 内容を書くか" in said
    assert "学習時間の見積もり：" in said and "［指定された速度］" in said
    assert "レポート：" in said
    for line in said.replace(str(tmp_path), "").splitlines():
        assert not ENGLISH.search(NAMES.sub("", line)) or "instruction" in line, line
