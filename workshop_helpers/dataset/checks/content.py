"""Garbled text, control characters, control tokens, markup and secrets in training texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from ...core.outside import visible
from ...core.wordings import Wording
from ..formats import SPECIAL_TOKEN, Conversation
from .findings import EXCERPT, Finding, around, finding, who, word
from .personal import hide
from .secrets import find_secrets


class _Fault(NamedTuple):
    """A fault at text[start:end]: its rule and its message."""

    rule: str
    start: int
    end: int
    code: str
    values: dict[str, Any]
    severity: str | None = None
    advice: Wording | None = None


def content_findings(conversation: Conversation) -> list[Finding]:
    """`mojibake`, `control-character`, `invisible-character`, `special-token`, `html` and `secret`
    in the turns of one row.
    """
    found = []
    several = len(conversation.messages) > 3
    about_markup = any(
        _MARKUP_WORD.search(_IN_BRACKETS.sub(" ", m.content))
        for m in conversation.messages
        if m.role != "assistant"
    )
    for number, message in enumerate(conversation.messages, start=1):
        text = message.content
        turn = who(message.role, number if several else None)
        for fault in _faults(text, about_markup):
            most = EXCERPT if fault.rule == "secret" else 80
            # Mask personal data next to a fault in the report.
            shown = hide(around(text, fault.start, fault.end, most))
            values = {"who": turn, "excerpt": visible(shown), **fault.values}
            values |= {"severity": fault.severity, "advice": fault.advice}
            found.append(finding(fault.rule, conversation, fault.code, **values))
    return found


def _faults(text: str, about_markup: bool) -> Iterator[_Fault]:
    yield from _control_characters(text)
    yield from _mojibake(text)
    yield from _special_tokens(text)
    yield from _html(text, about_markup)
    for span in find_secrets(text):
        values = {"kind": word(span.kind), "masked": span.masked}
        yield _Fault("secret", span.start, span.end, "holds", values, span.severity)


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|\r(?!\n)|\x85")
_CRLF = re.compile(r"\r\n")
_HIDDEN = re.compile(
    # Without zero-width joiners and direction marks, which emoji and some scripts need.
    "[\u00ad\u200b\u2028\u2029\u202a\u202b\u202d\u202e\u2060\u2066-\u2068\ufeff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def _control_characters(text: str) -> Iterator[_Fault]:
    found = _SURROGATE.search(text)
    if found:
        yield _Fault("encoding", *found.span(), "half-character", {"code": _code(found[0])})
    hits = list(_CONTROL.finditer(text))
    upper = next((hit for hit in hits if "\x80" <= hit[0] <= "\x9f"), None)
    if upper and _reread(_run_around(text, upper.start())[2]):  # mojibake, and reported as that
        hits = [hit for hit in hits if not "\x80" <= hit[0] <= "\x9f"]
    if hits:
        yield _counted("control-character", "control-character", hits)
    elif hits := list(_CRLF.finditer(text)):
        fault = _counted("control-character", "windows-line-end", hits)
        yield fault._replace(severity="warning", advice=word("line-feed-alone"))
    if hits := list(_HIDDEN.finditer(text)):
        yield _counted("invisible-character", "invisible-character", hits)


def _counted(rule: str, kind: str, hits: list[re.Match[str]]) -> _Fault:
    names = [_named(character) for character in dict.fromkeys(hit[0] for hit in hits)]
    values: dict[str, Any] = {"kind": word(kind), "n": len(hits), "codes": names[:5]}
    values["more"] = " …" if len(names) > 5 else ""
    code = "one-unseen" if len(hits) == 1 else "several-unseen"
    return _Fault(rule, *hits[0].span(), code, values)


NAMES = {
    "\x00": "nul", "\x07": "bell", "\x08": "backspace", "\x0b": "vertical-tab",
    "\x0c": "form-feed", "\r": "carriage-return", "\r\n": "cr-lf", "\x1b": "escape",
    "\x7f": "delete", "\x85": "next-line", "\xad": "soft-hyphen", "\u200b": "zero-width-space",
    "\u2028": "line-separator", "\u2029": "paragraph-separator", "\u2060": "word-joiner",
    "\ufeff": "byte-order-mark",
}  # fmt: skip


def _named(character: str) -> str | Wording:
    if character not in NAMES:
        return _code(character)
    name = word(NAMES[character])
    return word("named-character", code=_code(character), name=name)


def _code(character: str) -> str:
    return " ".join(f"U+{ord(one):04X}" for one in character)


# Two adjacent characters outside ASCII and East Asian scripts, which clean text rarely has.
_ODD_PAIR = re.compile("[\x80-\u04ff\u2013-\u2122][\x80-\u04ff\u2010-\u2593]|[ÃÂ] ")
# 縺れる (to tangle) and 繧繝 (a cloth pattern) are words; otherwise these characters are mojibake.
_SJIS = re.compile("縺(?![れらりるろっ])|繧(?!繝)|(?<!繧)繝|[ｦ-ﾟ][一-龥]|[一-龥][ｦ-ﾟ]")
_EUC = re.compile("(?:[､･][｡-ﾟ]){2}|(?:[¤¥][\xa1-\xfe]){2}")
_OTHER = re.compile("[銇銈銉]|[‚ƒ][\xa1-\xff‚ƒ‰Š‹Œ‘-”•–—˜™š›œžŸ]|[\x80-\x9f][\x80-\xff]")
_JAPANESE = re.compile("[ぁ-ゖァ-ヺー一-龥、。]")
_KANA = re.compile("[ぁ-ゖァ-ヺ]")
_LETTER = re.compile("[^\x00-\x7f]+(?:[ -~]{1,2}[^\x00-\x7f]+)*")
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_WORD = 100  # characters of a word around a garbled part
# (decoded with, encoded in): the pairs that garble Japanese; ftfy knows those of Western text.
_READINGS = (
    ("cp932", "utf-8"), ("gb18030", "utf-8"), ("latin-1", "utf-8"), ("latin-1", "cp932"),
    ("cp1252", "cp932"), ("latin-1", "euc_jp"), ("cp932", "euc_jp"),
)  # fmt: skip


def _mojibake(text: str) -> Iterator[_Fault]:
    """The first garbled part of a text."""
    if text.isascii():
        return
    at = text.find("\ufffd")
    if at >= 0:
        yield _Fault("mojibake", at, at + 1, "lost-characters", {"n": text.count("\ufffd")})
        return
    fault = _misread_japanese(text) or _misread_western(text)
    private = _PRIVATE.search(text)
    if fault:
        yield fault
    elif private:
        code = {"code": _code(private[0])}
        yield _Fault("mojibake", *private.span(), "private-use", code, "warning")


def _misread_japanese(text: str) -> _Fault | None:
    for pattern in (_SJIS, _EUC, _OTHER):
        for found in islice(pattern.finditer(text), 5):
            for start, end, run in _runs(text, found.start()):
                right = _reread(run)
                if right:
                    return _garbled(start, end, run, right)
    return None


def _misread_western(text: str) -> _Fault | None:
    if not _ODD_PAIR.search(text):
        return None
    from ftfy import fix_encoding
    from ftfy.badness import BADNESS_RE

    bad = BADNESS_RE.search(text)
    if not bad:
        return None
    start, end, _ = _run_around(text, bad.start())
    first, last = start - _WORD, end + _WORD
    while start > max(0, first) and text[start - 1].isalnum():
        start -= 1
    while end < min(len(text), last) and text[end].isalnum():
        end += 1
    run = text[start:end]
    return _garbled(start, max(end, bad.end()), run, fix_encoding(run))


def _garbled(start: int, end: int, run: str, right: str) -> _Fault:
    values = {"garbled": _brief(run), "right": _brief(right)}
    return _Fault("mojibake", start, end, "garbled" if right == run else "garbled-was", values)


def _brief(text: str) -> str:
    return visible(text if len(text) <= 24 else text[:23] + "…")


def _runs(text: str, at: int) -> Iterator[tuple[int, int, str]]:
    """The run around a position, then shorter ones, since the text next to it may be clean."""
    whole = _run_around(text, at)
    yield whole
    for size in (24, 16, 12, 8, 6, 5, 4, 3, 2):
        if at + size <= whole[1]:
            yield at, at + size, text[at : at + size]


def _run_around(text: str, at: int) -> tuple[int, int, str]:
    """The non-ASCII run around a position, at most 200 characters."""
    first = max(0, at - 100)
    for run in _LETTER.finditer(text, first, at + 100):
        if run.end() > at:
            return run.start(), run.end(), run[0]
    return at, at + 1, text[at : at + 1]


def _reread(run: str) -> str | None:
    """The original text of a garbled run, or None.

    Wrong guesses are rarely valid Japanese. Up to half of the characters may be lost, because the
    wrong encoding has no character for some bytes.
    """
    for read_with, written_in in _READINGS:
        if read_with == "cp1252":
            raw = b"".join(_cp1252(character) for character in run)
        else:
            raw = run.encode(read_with, errors="ignore")
        right = raw.decode(written_in, errors="replace")
        beyond_ascii = len(re.sub("[ -~]", "", right))
        japanese = len(_JAPANESE.findall(right))
        if written_in == "utf-8":  # other encodings are almost never valid UTF-8
            if japanese and 2 * japanese >= beyond_ascii:
                return right
        elif japanese >= 2 and 10 * japanese >= 9 * beyond_ascii and _KANA.search(right):
            return right
    return None


def _cp1252(character: str) -> bytes:
    # As in browsers, undefined bytes of cp1252 become control characters.
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1", errors="ignore")


# Other single tokens of the course's models.
_ADDED_TOKEN = re.compile(r"<(?:pad|unk|mask)>|<(?:start|end)_of_image>|<unused\d{1,2}>")
# Qwen's tokens for thoughts and tools, which may be intended.
_THOUGHT = re.compile(r"</?(?:think|tool_call|tool_response)>")


def _special_tokens(text: str) -> Iterator[_Fault]:
    if "<" not in text and "[" not in text:
        return
    for pattern, severity in ((SPECIAL_TOKEN, None), (_ADDED_TOKEN, None), (_THOUGHT, "warning")):
        hits = list(pattern.finditer(text))
        if hits:
            values: dict[str, Any] = {
                "n": len(hits),
                "tokens": list(dict.fromkeys(hit[0] for hit in hits)),
            }
            yield _Fault("special-token", *hits[0].span(), "control-token", values, severity)


_FENCE = re.compile(r"(```|~~~)[\s\S]*?(?:\1|\Z)|``[^\n]+?``|`[^`\n]+`")
_MARKUP_WORD = re.compile(
    r"\b(?:HTML5?|XHTML|XML|SVG|JSX|TSX|CSS|DOM|React|Vue|Svelte|Angular|Jinja2?|JavaScript|markup|tags?"
    r"|website|web ?page|BeautifulSoup|XSS)\b|タグ|マークアップ|要素|ウェブページ|スクレイピング"
    r"|JavaScript|HTML|XML|CSS",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(r"<[^<>]*>")
# Tag names that are not used as placeholders or types: one alone is markup.
_SURE = (
    "br|hr|div|span|table|tbody|thead|tfoot|tr|td|th|ul|ol|li|img|h[1-6]|strong|em|font|center|iframe|script|noscript"
    "|blockquote|html|figcaption|nobr|tt|dl|dt|dd|fieldset|textarea|marquee|small|sup"
)
# It ends where another tag begins, so that no part of a text is read for many tags.
_VALUE = r"(?:\"(?:[^\"<]|<(?![a-z/]))*\"|'(?:[^'<]|<(?![a-z/]))*'|[^\s<>\"']+)"
_TAG = re.compile(
    rf"<(?:(?P<sure>{_SURE})|(?P<short>[abipqsu])|(?P<word>title|address|code|pre|time|label|input|button|body|head|header"
    r"|footer|nav|section|article|aside|main|form|select|option|style|link|meta|video|audio|source|figure|sub|del|ins"
    r"|mark|cite|kbd|samp|var|object|embed|svg|path|canvas|details|summary))"
    rf"(?P<rest>(?:\s+[a-zA-Z_:@][\w:.@-]*(?:\s*=\s*{_VALUE})?)*)\s*(?P<slash>/?)>",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    rf"</(?:{_SURE}|[abipqu]|title|address|code|pre|label|button|body|head|style|form|section|header|footer|nav|article"
    r"|aside|main|video|audio|sub|del|ins|mark|svg)\s*>",
    re.IGNORECASE,
)
_SCRIPT = re.compile(r"</?(?:script|iframe)", re.IGNORECASE)
_COMMENT = re.compile(r"<!--(?:(?!<!--)[\s\S])*?-->|<!DOCTYPE\s+html|<!\[CDATA\[", re.IGNORECASE)
_ENTITY = re.compile(
    r"&(?:nbsp|amp|lt|gt|quot|apos|copy|reg|yen|hellip|mdash|ndash|rsquo|lsquo|rdquo|ldquo|laquo|raquo|bull|middot"
    r"|times|trade|euro|#\d{2,6}|#[xX][0-9A-Fa-f]{2,6});"
)
_MENTION = re.compile(
    r"\s*(?:[\"'」』）)]\s*)?(?:tags?|elements?|attributes?|stands? for|means?|タグ|要素|属性|って"
    r"|とは|の意味|コメント)",
    re.IGNORECASE,
)


def _html(text: str, about_markup: bool) -> Iterator[_Fault]:
    # A conversation about markup contains some.
    if about_markup or ("<" not in text and "&" not in text):
        return
    prose = _FENCE.sub(lambda found: " " * len(found[0]), text)
    hits = [*_tags(prose), *_ENTITY.finditer(prose)]
    hits = [hit for hit in hits if not _MENTION.match(prose, hit.end())]
    hits.sort(key=lambda hit: hit.start())
    if not hits:
        return
    script = next((hit for hit in hits if _SCRIPT.match(hit[0])), None)
    tags = list(dict.fromkeys(_brief(hit[0]) for hit in hits))[:4]
    code = "script" if script else "html"
    yield _Fault("html", *(script or hits[0]).span(), code, {"tags": tags})


def _tags(prose: str) -> Iterator[re.Match[str]]:
    """Closing tags, comments, and opening tags that are not placeholders or types."""
    closing = list(_CLOSING.finditer(prose))
    names = {hit[0][2:-1].strip().lower() for hit in closing}
    yield from closing
    yield from _COMMENT.finditer(prose)
    for hit in _TAG.finditer(prose):
        name = (hit["sure"] or hit["short"] or hit["word"]).lower()
        before = prose[hit.start() - 1] if hit.start() else ""
        paragraph = name == "p" and not (before.isalnum() or before == "_")
        if hit["sure"] or "=" in hit["rest"] or name in names or paragraph:
            yield hit
