"""Consistent language, style and number formats; placeholders and other leftovers."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ...metrics.language import all_polite, has_letters, manners
from .findings import Finding, around, shorten, word
from .row import CheckedRow, Places, Rows, SetCheck

FEW = 0.2  # below this share rows are strays; above, the whole set is mixed
SHOWN = 200  # maximum number of reported strays of one kind
FEWEST_ROWS = 10
_LANGUAGES = {"en": word("English"), "ja": word("Japanese")}
_MANNERS = {True: word("polite"), False: word("plain")}
# Questions that may ask for another language.
_TRANSLATION = re.compile(
    r"translat|in (?:english|japanese)|(?:english|japanese) (?:for|word|phrase)"
    r"|(?:how do|what do) (?:you|i) (?:say|call)|mean in |英語|和訳|英訳|翻訳|訳して|訳す"
    r"|日本語|英文|和文|英会話|英単語|意味|リライト|校正|correct|proofread|rewrite|code|コード|コマンド|正規表現|SQL|JSON",
    re.I,
)
_CODE_MARK = re.compile(r"[{}()\[\];=<>$|\\/_`#~]")
_OPTION = re.compile(r"-(?<!\S-)-?\w")


def _names_something(text: str) -> bool:
    """Whether a text is a name, a title or a line of code, which has no language."""
    return (
        len(text.split(None, 3)) < 4
        or _CODE_MARK.search(text) is not None
        or ("-" in text and _OPTION.search(text) is not None)
    )


def may_mix(rows: Rows) -> list[int]:
    """The places of rows that `check_language` must look at."""
    languages = enumerate(zip(rows.asked, rows.said, rows.densities, strict=True))
    return [
        place
        for place, (asked, said, density) in languages
        if asked != said or 1.1 < density < 2.4  # else the answer is nearly all in one script
    ]


def check_language(row: CheckedRow) -> Iterable[Finding]:
    """`mixed-language` of one row: an answer in a different language than its question."""
    asked, said = row.asked, row.said
    if asked == said or asked not in _LANGUAGES or said not in _LANGUAGES:
        return _changing(row) if 1.1 < row.density < 2.4 else ()
    question, answer = row.question, row.answer
    if (said == "en" and _names_something(answer)) or _TRANSLATION.search(question):
        return ()
    if asked == "en" and _names_something(question):
        return ()
    if any(_TRANSLATION.search(message.content) for message in row.messages[:-2]):
        return ()
    values = {"asked": _LANGUAGES[asked], "said": _LANGUAGES[said], "excerpt": answer}
    return [row.finding("mixed-language", "answer-language", **values)]


# A complete sentence in the other language: eight words, or twelve Japanese characters.
_ENGLISH = re.compile(r"(?<![\w\"'“「『])[A-Z][A-Za-z'’]{0,39}(?:,? [A-Za-z'’]{1,40}){7,40}[.!?]")
_TEXT = "[ぁ-んァ-ヶー一-龥々、]"
_JAPANESE = re.compile(
    rf"(?:(?<![「『\"“(（])(?<!{_TEXT})|(?<=[「『\"“(（]{_TEXT})){_TEXT}{{12,}}[。！？]"
)


def _changing(row: CheckedRow) -> Iterable[Finding]:
    """An answer that switches to another language."""
    answer = row.answer
    if "`" in answer:
        return ()  # there is code
    english, japanese = _ENGLISH.search(answer), _JAPANESE.search(answer)
    if not english or not japanese or _TRANSLATION.search(row.question):
        return ()
    piece = around(answer, *max(english.span(), japanese.span()))
    return [row.finding("mixed-language", "changing-language", excerpt=piece)]


_PLACEHOLDER = re.compile(
    r"\blorem ipsum\b|\[(?:your|insert|add|enter|company|customer|product)[ _][\w ]{1,30}\]"
    r"|\{\{\s*\w{1,30}\s*\}\}|<(?:your|insert)[ _-][\w -]{1,30}>|\b(?:TODO|FIXME|TBD)\b"
    r"(?=[:：]|\s*$)|【(?:要確認|未定|ここに[^】]{1,20}|会社名|商品名|氏名|お名前)】|(?:ここに|ここへ)(?:回答|答え|質問|文章|本文)を"
    r"(?:記入|入力|書)|^(?:ダミー|仮の?回答|サンプル回答|テスト回答|dummy|placeholder|n/a|none|null|nan|todo|tbd|xxx+)[.。]?$",
    re.I,
)
_BOILERPLATE = re.compile(
    r"\bas an? (?:ai|artificial intelligence)(?: language)? (?:model|assistant)\b"
    r"|\bI(?:'m| am) (?:ChatGPT|Claude|Gemini|Bard|Copilot)\b"
    r"|\b(?:trained|developed|made|created) by (?:OpenAI|Anthropic|Google)\b"
    r"|AI(?:言語)?(?:モデル|アシスタント)(?:として|なので|ですので|であるため|のため)|私は(?:ChatGPT|Claude|Gemini)"
    r"|(?:OpenAI|Anthropic|Google)(?:社)?(?:に|が|によって)(?:開発|作成|訓練)",
    re.I,
)  # fmt: skip

_ASSIGNS = ("=", '"', "'", ">", "/", "(")
_HEAD = 120  # characters of an answer to search


def check_leftovers(row: CheckedRow) -> Iterable[Finding]:
    """`placeholder`, `boilerplate` and `whitespace` of one row's answer."""
    answer = row.answer
    # Checking for these strings first is much faster, and fastest for single letters. An assistant
    # names itself at the beginning; a placeholder is at the beginning or in brackets.
    head = answer[:_HEAD]
    found: list[Finding] = []
    if (
        ("A" in head and "AI" in head)
        or ("G" in head and ("GPT" in head or "Gemini" in head))
        or ("C" in head and "Claude" in head)
        or "artificial" in head
        or "nthropic" in head
    ):
        found += _left_over(row, "boilerplate", "other-assistant", _BOILERPLATE.search(answer))
    if (
        "[" in answer
        or "<" in answer
        or "{" in answer
        or "【" in answer
        or ("T" in head and ("TODO" in head or "TBD" in head))
        or ("F" in head and "FIXME" in head)
        or "orem" in head
        or "ここ" in head
        or len(answer) < 16
    ):
        match = _PLACEHOLDER.search(answer)
        # In code, and behind an assignment or in a tag, it is for the reader to fill in.
        code = "`" in answer or answer[: match.start()].endswith(_ASSIGNS) if match else False
        if match and not (code and match[0][:1] in "{[<T"):
            found += _left_over(row, "placeholder", "never-filled", match)
    if answer[:1].isspace() or answer[-1:].isspace():
        shown = repr(answer[:20] if answer[:1].isspace() else answer[-20:])
        found.append(row.finding("whitespace", "white-space-at-end", excerpt=shown))
    return found


def _left_over(
    row: CheckedRow, rule: str, code: str, match: re.Match[str] | None
) -> Iterable[Finding]:
    if match:
        said = match[0] if rule == "boilerplate" else shorten(match[0], 40)
        piece = around(row.answer, *match.span())
        yield row.finding(rule, code, excerpt=piece, said=said)


_PAST = re.compile(r"た(?=[。！」\n]|$)")


def _is_literary(text: str, plain: int) -> bool:
    """Whether it is verse or a story in the past tense: in plain form, whatever the others are."""
    told = len(_PAST.findall(text))
    return ("\n" in text and "。" not in text) or (told >= 2 and 2 * told >= plain)


class Manners(SetCheck):
    """`mixed-politeness`: polite beside plain Japanese answers. Memory: 4 bytes a row."""

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._rows = {True: array("I"), False: array("I")}
        self._shown: dict[bool, list[str]] = {True: [], False: []}

    def take(self, rows: Rows) -> Iterable[Finding]:
        found: list[Finding] = []
        for place, (answer, said) in enumerate(zip(rows.answers, rows.said, strict=True)):
            if said != "ja" or answer.isascii() or "`" in answer:
                continue
            if all_polite(answer):
                self._keep(True, rows.numbers[place], answer)
            else:
                found += self.add(rows[place])
        return found

    def add(self, row: CheckedRow) -> Iterable[Finding]:
        """Add a row whose answer is Japanese, and not all of it polite."""
        answer = row.answer
        polite, plain = manners(answer)
        if min(polite, plain) >= 2:
            values = {"polite": polite, "plain": plain, "excerpt": answer}
            return [row.finding("mixed-politeness", "changing-manner", **values)]
        if (polite or plain) and not (plain > polite and _is_literary(answer, plain)):
            self._keep(polite >= plain, row.number, answer)
        return ()

    def _keep(self, polite: bool, number: int, answer: str) -> None:
        self._rows[polite].append(number)
        if len(self._shown[polite]) < SHOWN:
            self._shown[polite].append(shorten(answer))

    def summary(self) -> dict[str, Any]:
        """The number of Japanese answers in each style."""
        return {"manners": {"polite": len(self._rows[True]), "plain": len(self._rows[False])}}

    def finish(self) -> list[Finding]:
        polite, plain = len(self._rows[True]), len(self._rows[False])
        if not polite or not plain or polite + plain < FEWEST_ROWS:
            return []
        usual = plain <= polite
        rare, common = self._rows[not usual], self._rows[usual]
        code, shown = "manners-mixed", self._shown[not usual][:1]
        if len(rare) <= FEW * (polite + plain):
            code, shown = "stray-manner", self._shown[not usual]
        values: dict[str, Any] = {"rare": _MANNERS[not usual], "usual": _MANNERS[usual]}
        values |= {"n": len(common), "polite": polite, "plain": plain}
        return [
            self.finding("mixed-politeness", code, number, common[0], excerpt=text, **values)
            for number, text in zip(rare, shown, strict=False)
        ]


class Languages(SetCheck):
    """`mixed-language` in a file: a few rows in another language. Memory: 4 bytes per row."""

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._rows: dict[str, dict[str, array[int]]] = {}
        self._shown: dict[int, str] = {}

    def take(self, rows: Rows) -> Iterable[Finding]:
        columns = rows.numbers, rows.asked, rows.questions, rows.files
        for number, language, question, file in zip(*columns, strict=True):
            if language == "?":
                if not has_letters(question):
                    continue
                language = "other"
            kept = self._rows.get(file)
            if kept is None:
                kept = {"en": array("I"), "ja": array("I"), "other": array("I")}
                self._rows[file] = kept
            alike = kept[language]
            if language == "en" and len(kept["ja"]) > len(alike) and _names_something(question):
                continue  # an error message or a name
            if len(alike) < SHOWN:
                self._shown[number] = shorten(question)
            alike.append(number)
        return ()

    def summary(self) -> dict[str, Any]:
        """The number of questions in each language."""
        counted: Counter[str] = Counter()
        for rows in self._rows.values():
            counted.update({language: len(numbers) for language, numbers in rows.items()})
        return {"languages": {language: n for language, n in counted.items() if n}}

    def finish(self) -> Iterable[Finding]:
        for rows in self._rows.values():
            rare, usual = sorted(_LANGUAGES, key=lambda language: len(rows[language]))
            strays, common = rows[rare], rows[usual]
            total = len(strays) + len(common)
            few = total < FEWEST_ROWS or len(strays) > FEW / 2 * total
            if not strays or few or len(rows["other"]) > len(common):
                continue
            values: dict[str, Any] = {"rare": _LANGUAGES[rare], "usual": _LANGUAGES[usual]}
            for number in strays[:SHOWN]:
                values |= {"n": len(common), "excerpt": self._shown.get(number, "")}
                yield self.finding("mixed-language", "stray-language", number, common[0], **values)


_DIGIT = re.compile(r"[0-9０-９]")
_GROUPS = r"(?:,[0-9]{3}){1,9}"
_UNIT = r"(?:円|yen|dollars?|ポイント|points?)"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
# Kinds of numbers, strings that a text must contain to have one (checking them first is much
# faster), and the formats of each kind. A pattern begins with a character, and looks behind it: one
# that begins with looking behind is tried at every place of a text, and takes many times as long.
WAYS: tuple[tuple[str, tuple[str, ...], tuple[tuple[str, re.Pattern[str]], ...]], ...] = (
    ("thousands", ("円", "$", "¥", "￥", "yen", "dollar", "ポイント", "point"), (
        ("with-commas", re.compile(
            rf"[0-9$¥￥](?:(?<![0-9.][0-9])(?<=[0-9])[0-9]{{0,2}}{_GROUPS}(?=\s?{_UNIT})"
            rf"|(?<=[$¥￥])[0-9]{{1,3}}{_GROUPS})"
        )),
        ("without-commas", re.compile(
            rf"[0-9$¥￥](?:(?<![0-9.,][0-9])(?<=[0-9])[0-9]{{3,8}}(?=\s?{_UNIT})"
            r"|(?<=[$¥￥])[0-9]{4,9}(?![0-9,]))"
        )),
    )),
    ("yen", ("円", "¥", "￥"), (
        ("as-円", re.compile(r"[0-9０-９]\s?円")),
        ("as-¥", re.compile(r"[¥￥]\s?[0-9０-９]")),
    )),
    ("digits", (), (
        ("half-width", re.compile(
            r"[0-9](?:(?<![A-Za-z0-9][0-9])|(?<=[A-Za-z][0-9][0-9]))[0-9]*"
            r"(?=[円日時分年月回個本枚点人%％つ営か])"
        )),
        ("full-width", re.compile(r"[０-９][０-９]*")),
    )),
    ("dates", ("/", "年", "-", "20", "19"), (
        ("年月日", re.compile(r"[0-9０-９][0-9０-９]{3}年[0-9０-９]{1,2}月[0-9０-９]{1,2}日")),
        ("Y/M/D", re.compile(r"[0-9](?<![0-9/][0-9])[0-9]{3}/[0-9]{1,2}/[0-9]{1,2}(?![0-9/])")),
        ("Month-D-Y", re.compile(rf"\b{_MONTH} [0-9]{{1,2}}(?:st|nd|rd|th)?, [0-9]{{4}}\b")),
        ("D-Month-Y", re.compile(
            rf"[0-9](?<=\b[0-9])[0-9]?(?:st|nd|rd|th)? {_MONTH} [0-9]{{4}}\b"
        )),
        ("M/D/Y", re.compile(r"[0-9](?<![0-9/][0-9])[0-9]?/[0-9]{1,2}/[0-9]{4}(?![0-9/])")),
        ("Y-M-D", re.compile(r"[0-9](?<![0-9-][0-9])[0-9]{3}-[0-9]{2}-[0-9]{2}(?![0-9-])")),
    )),
    ("times", ("時", ":", ".m", "am", "pm", "AM", "PM"), (
        ("9時", re.compile(
            r"[午0-9](?:(?<=午)[前後][0-9]{1,2}|(?<=[0-9])[0-9]?)時(?!間)(?:[0-9]{1,2}分|半)?"
        )),
        ("9-00", re.compile(
            r"[0-9](?<![0-9:][0-9])[0-9]?:[0-9]{2}(?![0-9:])(?!\s?[ap]\.?m)"
        )),
        ("9-am", re.compile(r"[0-9](?<![0-9:][0-9])[0-9]?(?::[0-9]{2})?\s?[ap]\.?m\b", re.I)),
    )),
)  # fmt: skip


class NumberFormats(SetCheck):
    """`mixed-number-format`: amounts, dates and times in several formats, per language."""

    SAMPLE = (10_000, 100)

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._rows: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
        self._counted: Counter[tuple[str, str, str]] = Counter()
        self.rows = 0

    def add(self, row: CheckedRow) -> Iterable[Finding]:
        self.rows += 1
        answer, language = row.answer, row.said
        if "`" in answer or not _DIGIT.search(answer):
            return ()
        ascii_only = answer.isascii()
        for what, traces, ways in WAYS:
            # An ASCII text has no full-width digits.
            if not any([trace in answer for trace in traces]) if traces else ascii_only:  # noqa: C419
                continue
            for way, pattern in ways:
                match = pattern.search(answer)
                if match:
                    key = (language, what, way)
                    self._counted[key] += 1
                    kept = self._rows.setdefault(key, [])
                    if len(kept) < SHOWN:
                        kept.append((row.number, match[0]))
        return ()

    def finish(self) -> Iterable[Finding]:
        for language in ("en", "ja", "?"):
            for what, _, ways in WAYS:
                used = [way for way, _ in ways if (language, what, way) in self._counted]
                used.sort(key=lambda way: -self._counted[language, what, way])
                for way in used[1:]:
                    yield from self._strays((language, what, used[0]), way)

    def _strays(self, usual: tuple[str, str, str], way: str) -> Iterable[Finding]:
        language, what, usual_way = usual
        other, sample = self._rows[usual][0]
        values: dict[str, Any] = {"what": word(what), "way": word(way), "usual": word(usual_way)}
        values |= {"sample": sample, "n": self._counted[usual]}
        for number, text in self._rows[language, what, way]:
            if number != other:
                values |= {"text": text, "excerpt": text}
                yield self.finding("mixed-number-format", "several-ways", number, other, **values)
