"""What a check says about a row, and the table of everything the course checks for.

A rule's name is stable: scripts, notebooks and `--json` readers rely on it. Its sentences (why it
hurts, what to do) stand here once, in English and Japanese, so that every report says the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

SEVERITIES = ("error", "warning", "note")
EXCERPT = 160  # characters of a row that a finding shows at most
MOST_FINDINGS = 2_000  # of one rule and severity that are kept; the rest is counted


@dataclass(frozen=True)
class Rule:
    """One thing that is checked.

    severity: of its findings, unless a check says otherwise; title: the fault in a few words; why:
    how it hurts training; fix: what to do. `_ja`: the same in Japanese. quick: part of the quick
    check.
    """

    name: str
    severity: str
    title: str
    title_ja: str
    why: str
    why_ja: str
    fix: str
    fix_ja: str
    quick: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault at one place. `line` counts from 1 (0: the file as a whole); `other_line`,
    `other_file` name the second row where the finding is about two. `excerpt` is masked where it
    holds personal data.
    """

    rule: str
    severity: str
    file: str
    line: int
    message: str
    fix: str
    excerpt: str = ""
    why: str = ""
    other_line: int | None = None
    other_file: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The finding as `--json` prints it; what is not known is left out."""
        found: dict[str, Any] = {
            "rule": self.rule,
            "severity": self.severity,
            "file": self.file,
            "line": self.line,
            "message": self.message,
            "fix": self.fix,
            "excerpt": self.excerpt,
            "why": self.why,
        }
        if self.other_line is not None:
            found["other_line"] = self.other_line
        if self.other_file is not None:
            found["other_file"] = self.other_file
        return found

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity}: {self.rule}: {self.message} {self.fix}"


class Placed(Protocol):
    """Anything that knows where it was read: a Conversation, a Fault, a `Place`."""

    @property
    def file(self) -> str | None: ...
    @property
    def line(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Place:
    """A row known only by where it stands; line 0 is the file as a whole."""

    file: str
    line: int = 0


def finding(
    rule: str,
    conversation_or_fault: Placed,
    message: str,
    *,
    excerpt: str = "",
    severity: str | None = None,
    fix: str | None = None,
    other: Placed | None = None,
) -> Finding:
    """A finding at a row's place, with the rule's own severity, fix and reason where none is given.

    other: the second row, where the finding is about two. The excerpt is shortened to 160
    characters. Raises ValueError for a rule that is not in `RULES`, or a severity that is none.
    """
    known = RULES.get(rule)
    if known is None:
        raise ValueError(f"{rule!r} is no rule; add it to RULES")
    severity = severity or known.severity
    if severity not in SEVERITIES:
        raise ValueError(f"{severity!r} is no severity; choose from {', '.join(SEVERITIES)}")
    place = conversation_or_fault
    other_file = None
    if other is not None and other.file != place.file:
        other_file = other.file
    return Finding(
        rule,
        severity,
        place.file or "",
        place.line or 0,
        message,
        fix or known.fix,
        shorten(excerpt),
        known.why,
        other.line if other is not None else None,
        other_file,
    )


def shorten(text: str, most: int = EXCERPT) -> str:
    """The text, cut to so many characters with "…" where it is longer."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def around(text: str, start: int, end: int, most: int = EXCERPT) -> str:
    """The piece of a text around text[start:end], with "…" where something was left out."""
    room = max(0, most - (end - start)) // 2
    first, last = max(0, start - room), min(len(text), end + room)
    cut = text[first:last]
    return f"{'…' if first else ''}{cut}{'…' if last < len(text) else ''}"


@dataclass
class CheckReport:
    """What a check found.

    findings: in the order of files and lines, at most 2,000 of a rule; summary: rows, tokens (None
    where they were not counted) and what else was measured (see `check`); found: how often each
    (rule, severity) was found, also beyond those 2,000.
    """

    findings: list[Finding]
    summary: dict[str, Any] = field(default_factory=dict)
    found: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def _counted(self) -> Counter[tuple[str, str]]:
        # The list is shorter than the count only where it was cut; elsewhere it is what the user
        # sees.
        listed = Counter((found.rule, found.severity) for found in self.findings)
        return Counter({k: max(n, self._beyond(k, n)) for k, n in listed.items()})

    def _beyond(self, key: tuple[str, str], listed: int) -> int:
        total = self.found.get(key, 0)
        return total if total > MOST_FINDINGS else listed

    @property
    def counts(self) -> dict[str, int]:
        """How often each rule was broken, by name."""
        counted: dict[str, int] = {}
        for (rule, _), times in sorted(self._counted().items()):
            counted[rule] = counted.get(rule, 0) + times
        return counted

    @property
    def severities(self) -> dict[str, int]:
        """How many errors, warnings and notes there are."""
        counted = dict.fromkeys(SEVERITIES, 0)
        for (_, severity), times in self._counted().items():
            counted[severity] += times
        return counted

    @property
    def exit_code(self) -> int:
        """0: clean, or notes only; 1: warnings; 2: errors."""
        counted = self.severities
        return 2 if counted["error"] else 1 if counted["warning"] else 0

    def of(self, rule: str) -> list[Finding]:
        """The findings of one rule."""
        return [found for found in self.findings if found.rule == rule]

    def to_dict(self) -> dict[str, Any]:
        """`findings` and `summary`, as `workshop data check --json` prints them."""
        return {
            "findings": [found.to_dict() for found in self.findings],
            "summary": {**self.summary, "counts": self.counts, "severities": self.severities},
        }


def in_order(findings: Iterable[Finding], files: Iterable[str] = ()) -> list[Finding]:
    """Findings by file (in the order given, then by name), line, and severity."""
    place = {file: number for number, file in enumerate(files)}
    return sorted(
        findings,
        key=lambda f: (
            place.get(f.file, len(place)),
            f.file,
            f.line,
            SEVERITIES.index(f.severity),
            f.rule,
        ),
    )


# -- the table ---------------------------------------------------------------------------------


_SLOW = ("too-long", "near-duplicate")


def _rules(*rows: tuple[str, str, str, str, str, str, str, str]) -> Mapping[str, Rule]:
    return {row[0]: Rule(*row, row[0] not in _SLOW) for row in rows}


RULES: Mapping[str, Rule] = _rules(
    # -- broken rows
    ("invalid-json", "error",
     "not valid JSON", "JSONとして読めない",
     "The row cannot be read; a loader stops here, or passes over the row without a word.",
     "この行は読み込めません。学習が止まるか、この行だけ黙って飛ばされます。",
     "Correct the row, or write it with a JSON library.",
     "行を直すか、JSONライブラリで書き出し直してください。"),
    ("missing-field", "error",
     "a field is missing or misnamed", "必要な項目がない、または項目名が違う",
     "Without its question or its answer a row teaches nothing.",
     "質問か回答が欠けた行からは何も学習できません。",
     "Add the field, or rename the one that was meant.",
     "項目を追加するか、項目名を正しく直してください。"),
    ("invalid-csv", "error",
     "a broken table row", "表の行が壊れている",
     "The cells of the row cannot be told apart; questions and answers would be shifted.",
     "セルの区切りが分からず、質問と回答がずれてしまいます。",
     "Put texts with commas, quotation marks or line breaks into quotation marks.",
     "カンマ・引用符・改行を含むセルは引用符で囲んでください。"),
    ("unreadable", "error",
     "a file that cannot be read", "読み込めないファイル",
     "What cannot be read is not trained on.",
     "読み込めないデータは学習に使えません。",
     "Save the file again, in the format that its name says.",
     "拡張子どおりの形式で保存し直してください。"),
    ("row-too-large", "error",
     "a row of many megabytes", "1行が大きすぎる",
     "No model takes a row of that size; mostly a line break is missing.",
     "この大きさの行を扱えるモデルはありません。たいていは改行が抜けています。",
     "Write each row on a line of its own.",
     "1行に1件ずつ書いてください。"),
    ("wrong-role", "error",
     "an unknown role", "役割(role)の名前が違う",
     "The chat template does not know the role; the turn is lost or read as somebody else's.",
     "チャットテンプレートにない役割なので、発言が失われるか、別の話者の発言になります。",
     "Use system, user or assistant.",
     "system・user・assistant のいずれかにしてください。"),
    ("wrong-order", "error",
     "turns in the wrong order", "発言の順序が正しくない",
     "Templates expect an optional system turn, then user and assistant in turn, the assistant last.",
     "テンプレートは「system（任意）、以後 user と assistant が交互、最後は assistant」を前提とします。",
     "Put the system turn first, let user and assistant alternate, and end with the answer.",
     "system を先頭に置き、user と assistant を交互に並べ、回答で終えてください。"),
    ("empty-question", "error",
     "an empty question", "質問が空",
     "The model learns to talk without being asked.",
     "質問がなくても話し出すことを学習してしまいます。",
     "Fill in the question, or delete the row.",
     "質問を書くか、行を削除してください。"),
    ("empty-answer", "error",
     "an empty answer", "回答が空",
     "The model learns to answer with nothing.",
     "何も答えないことを学習してしまいます。",
     "Fill in the answer, or delete the row.",
     "回答を書くか、行を削除してください。"),
    ("empty-file", "error",
     "a file without rows", "行がないファイル",
     "There is nothing to train on.",
     "学習するデータがありません。",
     "Write at least one row, or leave the file out.",
     "1行以上書くか、このファイルを外してください。"),
    ("encoding", "error",
     "a fault of the encoding", "文字コードの誤り",
     "Bytes that are not the stated encoding become wrong characters, which the model learns as they are.",
     "文字コードに合わないバイトは誤った文字になり、そのまま学習されます。",
     "Save the file as UTF-8, or name its encoding.",
     "ファイルをUTF-8で保存し直すか、文字コードを指定してください。"),
    # -- content
    ("mojibake", "error",
     "garbled characters", "文字化け",
     "The model learns the garbled characters and writes them again.",
     "文字化けした文字列をそのまま学習し、回答に出力します。",
     "Take the text again from its source in the right encoding, or repair it as shown.",
     "元のテキストを正しい文字コードで取り直すか、示した形に直してください。"),
    ("control-character", "error",
     "a control character", "制御文字",
     "Characters nobody sees cost tokens and appear in answers.",
     "目に見えない文字がトークンを消費し、回答にも現れます。",
     "Delete the character.",
     "その文字を削除してください。"),
    ("invisible-character", "warning",
     "an invisible character", "見えない文字",
     "Zero-width characters and odd spaces make equal words different tokens.",
     "ゼロ幅文字や特殊な空白があると、同じ語でも別のトークンになります。",
     "Delete the character, or write an ordinary space.",
     "その文字を削除するか、普通の空白に置き換えてください。"),
    ("special-token", "error",
     "a control token of a template", "テンプレートの特殊トークン",
     "The tokenizer reads it as the end or the start of a turn: the row breaks in two in the middle.",
     "トークナイザーが発言の終わりや始まりと解釈し、行が途中で分断されます。",
     "Write plain text; the chat template adds such tokens itself.",
     "通常の文字だけで書いてください。特殊トークンはチャットテンプレートが付けます。"),
    ("html", "warning",
     "HTML or script", "HTMLタグやスクリプト",
     "Markup left over from a web page is learned as a way to answer; script in an answer does harm where it is shown.",
     "Webページの残骸であるタグを回答の書き方として学習します。回答中のスクリプトは表示先で危険です。",
     "Keep the text and delete the markup; put code that is meant into a code block.",
     "タグを除いて本文だけにしてください。意図したコードはコードブロックに入れてください。"),
    ("secret", "error",
     "a password or key", "パスワードやAPIキー",
     "A model repeats what it was trained on: whoever asks may get the key.",
     "モデルは学習した内容を繰り返すため、尋ねた人にキーが漏れる可能性があります。",
     "Delete it from the row, and withdraw the key: it has been copied around.",
     "行から削除し、そのキーを無効にしてください。すでに複製されています。"),
    ("placeholder", "warning",
     "a placeholder that was never filled in", "記入されていない仮置きの文字列",
     "The model learns to answer with the placeholder.",
     "仮置きの文字列をそのまま回答することを学習します。",
     "Write what belongs there, or delete the row.",
     "本来の内容を書くか、行を削除してください。"),
    ("boilerplate", "warning",
     "another assistant speaking of itself", "別のAIの自己言及",
     "The model learns to speak as another product, or to refuse.",
     "別の製品として名乗ることや、回答を断ることを学習します。",
     "Write the answer that your assistant should give, or delete the row.",
     "自分のアシスタントが返すべき回答に書き直すか、行を削除してください。"),
    # -- size
    ("too-long", "error",
     "longer than the model can take", "長すぎて途中で切れる",
     "Everything beyond the limit is cut away before training: the model never sees how the answer ends, "
     "and does not learn to stop.",
     "上限を超えた部分は学習前に切り捨てられます。回答の終わりを見ないため、止まることを学習しません。",
     "Shorten the row, split it in two, or raise max_length.",
     "短くするか、2行に分けるか、max_length を大きくしてください。"),
    ("too-short", "warning",
     "suspiciously short", "極端に短い",
     "Rows of a character or two are mostly left-overs; the model learns to answer with as little.",
     "1〜2文字の行はたいてい作業の残りです。短すぎる回答を学習します。",
     "Write the whole answer, or delete the row.",
     "回答を最後まで書くか、行を削除してください。"),
    # -- repetition
    ("duplicate", "error",
     "the same row twice", "同じ行が2回ある",
     "Repeated rows weigh twice and are learned by heart; split apart they leak into the test.",
     "重複した行は二重に重みがかかり、丸暗記されます。分割するとテスト側へ漏れます。",
     "Delete one of the two (`workshop data clean` does).",
     "どちらか一方を削除してください（workshop data clean で自動削除できます）。"),
    ("near-duplicate", "warning",
     "almost the same row", "ほぼ同じ行",
     "Rows that differ in a character or a space weigh like one row repeated.",
     "1文字や空白だけが違う行は、同じ行の繰り返しと同じ重みになります。",
     "Keep one, or make the other really different.",
     "一方だけを残すか、もう一方を内容の違うものに書き換えてください。"),
    ("conflicting-answers", "warning",
     "the same question with different answers", "同じ質問に異なる回答",
     "The model is pulled both ways and answers with a mixture.",
     "両方に引っ張られ、混ざった回答になります。",
     "Decide on one answer, or make the questions different.",
     "回答をどちらかに統一するか、質問を区別できるように書き分けてください。"),
    ("contradicting-fact", "error",
     "facts that contradict each other", "事実の食い違い",
     "Of two amounts for the same thing one is wrong, and the model may learn that one.",
     "同じ事柄に2つの値があれば片方は誤りで、そちらを学習する可能性があります。",
     "Find out which is right, and correct the other row.",
     "正しい方を確かめ、もう一方の行を直してください。"),
    ("low-diversity", "warning",
     "too many rows that begin alike", "書き出しが似すぎている",
     "When most answers begin alike the model learns the beginning by heart and falls into it everywhere "
     "(mode collapse).",
     "回答の書き出しが同じものばかりだと、どの質問にもその書き出しで答えるようになります（モード崩壊）。",
     "Write the answers in more ways.",
     "回答の書き方にもっと変化をつけてください。"),
    ("repeated-text", "warning",
     "an answer that repeats itself", "回答内の繰り返し",
     "The model learns to go round in circles.",
     "同じ文を繰り返すことを学習します。",
     "Keep one of the repeated sentences.",
     "繰り返しを1つだけ残してください。"),
    ("echo", "warning",
     "an answer that is the question", "質問をそのまま返す回答",
     "The model learns to repeat the question instead of answering it.",
     "答えずに質問を繰り返すことを学習します。",
     "Write the answer.",
     "回答を書いてください。"),
    # -- leakage
    ("leakage", "error",
     "a row of the test stands in the training data", "評価用の行が学習データにある",
     "What was seen in training is no test: the measured quality is too good.",
     "学習で見た行では評価になりません。測定した品質が実際より良く出ます。",
     "Take the row out of one of the two files (`workshop data split` keeps them apart).",
     "どちらかのファイルから取り除いてください（workshop data split なら自動で分離します）。"),
    # -- personal data
    ("pii-email", "warning",
     "an e-mail address", "メールアドレス",
     "A model repeats personal data to strangers.",
     "モデルが他人の個人情報を無関係な人に答えてしまいます。",
     "Mask it (`workshop data clean --mask`), or use an example.com address.",
     "伏せ字にする（workshop data clean --mask）か、example.com の例に置き換えてください。"),
    ("pii-phone", "warning",
     "a telephone number", "電話番号",
     "A model repeats personal data to strangers.",
     "モデルが他人の個人情報を無関係な人に答えてしまいます。",
     "Mask it (`workshop data clean --mask`), unless it is a public number of yours.",
     "伏せ字にしてください（workshop data clean --mask）。自社の公開番号なら残して構いません。"),
    ("pii-card", "error",
     "a credit card number", "クレジットカード番号",
     "A model repeats what it was trained on; a card number is money.",
     "モデルは学習した内容を繰り返します。カード番号の漏えいは金銭被害に直結します。",
     "Mask it (`workshop data clean --mask`) and delete it where it came from.",
     "伏せ字にし（workshop data clean --mask）、元データからも削除してください。"),
    ("pii-my-number", "error",
     "a My Number", "マイナンバー（個人番号）",
     "Japanese law allows My Number to be kept for tax and social security only.",
     "マイナンバーの保管は、法律で税・社会保障などの目的に限られています。",
     "Delete it here and where it came from.",
     "ここからも元データからも削除してください。"),
    ("pii-ssn", "warning",
     "a US Social Security number", "米国の社会保障番号",
     "A model repeats personal data to strangers; with this number an identity can be stolen.",
     "モデルが個人情報を無関係な人に答えてしまいます。この番号が漏れると、なりすましに使われます。",
     "Delete it here and where it came from, or mask it (`workshop data clean --mask`).",
     "ここからも元データからも削除するか、伏せ字にしてください（workshop data clean --mask）。"),
    ("pii-postal-code", "warning",
     "a postal code", "郵便番号",
     "A model repeats personal data to strangers.",
     "モデルが他人の個人情報を無関係な人に答えてしまいます。",
     "Mask it (`workshop data clean --mask`), unless it is a public address of yours.",
     "伏せ字にしてください（workshop data clean --mask）。自社の公開住所なら残して構いません。"),
    ("pii-address", "warning",
     "a postal address", "住所",
     "A model repeats personal data to strangers.",
     "モデルが他人の個人情報を無関係な人に答えてしまいます。",
     "Mask it (`workshop data clean --mask`), unless it is a public address of yours.",
     "伏せ字にしてください（workshop data clean --mask）。自社の公開住所なら残して構いません。"),
    ("pii-name", "warning",
     "a person's name", "個人名",
     "A model repeats personal data to strangers.",
     "モデルが他人の個人情報を無関係な人に答えてしまいます。",
     "Mask it (`workshop data clean --mask`), or use an invented name.",
     "伏せ字にする（workshop data clean --mask）か、架空の名前に置き換えてください。"),
    # -- style
    ("mixed-language", "warning",
     "languages mixed", "言語の混在",
     "The model learns to change the language in the middle of a conversation.",
     "会話の途中で言語が変わることを学習します。",
     "Answer in the language of the question, or keep a file for each language.",
     "質問と同じ言語で答えるか、言語ごとにファイルを分けてください。"),
    ("mixed-politeness", "warning",
     "です・ます and plain form mixed", "敬体（です・ます）と常体の混在",
     "The model changes its manner from answer to answer.",
     "回答ごとに文体が変わってしまいます。",
     "Write all answers in one manner.",
     "回答の文体をどちらかに統一してください。"),
    ("mixed-number-format", "note",
     "numbers written in several ways", "数字の書き方の不統一",
     "Every way to write a number is other tokens; the model has to learn each of them.",
     "書き方が違えばトークンも変わり、それぞれを別に学習しなければなりません。",
     "Write amounts, dates and times in one way.",
     "金額・日付・時刻の書き方を統一してください。"),
    ("whitespace", "note",
     "stray white space", "余分な空白",
     "White space at the edges is tokens too, and is learned.",
     "前後の空白もトークンになり、学習されます。",
     "Take it away (`workshop data clean` does).",
     "取り除いてください（workshop data clean で自動修正できます）。"),
    # -- amount
    ("too-few", "warning",
     "few rows", "行数が少ない",
     "50–100 rows show an effect, 200–500 are useful, 1,000 and more are good (guide values).",
     "目安は、効果を確かめるなら50〜100行、実用には200〜500行、高品質には1,000行以上です。",
     "Add rows: other questions, and other ways to ask the same.",
     "別の質問や、同じ質問の別の言い方を加えてください。"),
    ("unbalanced", "note",
     "topics of very different size", "話題の偏り",
     "The model answers rare topics in the manner of the common ones.",
     "少ない話題にも、多い話題の調子で答えてしまいます。",
     "Add rows to the small topics.",
     "少ない話題の行を増やしてください。"),
)  # fmt: skip


def place_of(role: str, number: int | None = None) -> str:
    """How a message calls a turn, as the beginning of a sentence; its number where a row has many
    turns.
    """
    names = {"user": "The question", "assistant": "The answer", "system": "The system prompt"}
    name = names.get(role, "A turn")
    return f"{name} (turn {number})" if number else name


def visible(text: str) -> str:
    """The text with characters that nobody sees written as ␀-style pictures or U+XXXX."""
    return _UNSEEN.sub(lambda found: _picture(found[0]), text)


def _picture(character: str) -> str:
    code = ord(character)
    if code < 32:
        return chr(0x2400 + code)
    return "␡" if code == 127 else f"[U+{code:04X}]"


_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]"
)
