"""What must not stand in a training text: garbled characters, control characters, a template's
tokens, markup, secrets.

Most rows hold none of it: only a row that the first look has its doubts about is looked at again,
rule by rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ..formats import SPECIAL_TOKEN
from .findings import Finding, around, finding, place_of, visible
from .prefilter import CONTENT, first_look
from .secrets import find_secrets

if TYPE_CHECKING:
    from ..formats import Conversation


def check_content(conversation: Conversation) -> Iterable[Finding]:
    """`mojibake`, `control-character`, `invisible-character`, `special-token`, `html` and `secret`
    of one row.

    Every turn is looked at.
    """
    return content_findings(conversation) if first_look(conversation.messages) & CONTENT else ()


def content_findings(conversation: Conversation) -> list[Finding]:
    """As `check_content`, where the first look has seen signs."""
    return list(_findings(conversation))


def _findings(conversation: Conversation) -> Iterator[Finding]:
    from .personal import mask  # personal data beside a fault must not stand in the report either

    several = len(conversation.messages) > 3
    user_talks_of_markup = any(
        _MARKUP_WORD.search(_IN_BRACKETS.sub(" ", m.content))
        for m in conversation.messages
        if m.role != "assistant"
    )
    for number, message in enumerate(conversation.messages, start=1):
        text = message.content
        where = place_of(message.role, number if several else None)
        for rule, severity, start, end, what, fix in _faults(text, user_talks_of_markup):
            shown = around(text, start, end, 80) if rule != "secret" else around(text, start, end)
            yield finding(
                rule,
                conversation,
                f"{where} {what}",
                excerpt=visible(mask(shown)[0]),
                severity=severity,
                fix=fix,
            )


class _Fault(NamedTuple):
    rule: str
    severity: str | None
    start: int
    end: int
    what: str
    fix: str | None = None


def _faults(text: str, about_markup: bool) -> Iterator[_Fault]:
    yield from _control_characters(text)
    yield from _mojibake(text)
    yield from _special_tokens(text)
    yield from _html(text, about_markup)
    for secret in find_secrets(text):
        what = f"holds {secret.kind}: {secret.masked}"
        yield _Fault("secret", secret.severity, secret.start, secret.end, what)


# -- characters nobody sees ------------------------------------------------------------------------

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|\r(?!\n)|\x85")
_CRLF = re.compile(r"\r\n")
_HIDDEN = re.compile(
    # Zero-width joiners and direction marks belong to emoji and to scripts that need them; these do
    # not.
    "[\u00ad\u200b\u2028\u2029\u202a\u202b\u202d\u202e\u2060\u2066-\u2068\ufeff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def _control_characters(text: str) -> Iterator[_Fault]:
    found = _SURROGATE.search(text)
    if found:
        what = f"holds half of a surrogate pair (U+{ord(found[0]):04X}), which UTF-8 cannot store."
        yield _Fault("encoding", None, found.start(), found.end(), what)
    hits = list(_CONTROL.finditer(text))
    upper = next((hit for hit in hits if "\x80" <= hit[0] <= "\x9f"), None)
    if upper and _reread(_run_around(text, upper.start())[2]):  # mojibake, and reported as that
        hits = [hit for hit in hits if not "\x80" <= hit[0] <= "\x9f"]
    if hits:
        yield _counted("control-character", None, hits, "control character")
    else:
        returns = list(_CRLF.finditer(text))
        if returns:
            yield _counted("control-character", "warning", returns, "Windows line end")._replace(
                fix="Write line ends as \\n alone."
            )
    hits = list(_HIDDEN.finditer(text))
    if hits:
        yield _counted("invisible-character", None, hits, "invisible character")


def _counted(rule: str, severity: str | None, hits: list[re.Match[str]], name: str) -> _Fault:
    names = list(dict.fromkeys(_named(hit[0]) for hit in hits))
    number = f"{len(hits)} {name}s" if len(hits) > 1 else f"the {name}"
    what = f"holds {number}: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}."
    return _Fault(rule, severity, hits[0].start(), hits[0].end(), what)


_KNOWN = {
    "\x00": "NUL", "\x07": "bell", "\x08": "backspace", "\x0b": "vertical tab", "\x0c": "form feed",
    "\r": "carriage return", "\r\n": "CR LF", "\x1b": "escape", "\x7f": "delete", "\x85": "next line",
    "\xad": "soft hyphen", "\u200b": "zero-width space", "\u2028": "line separator",
    "\u2029": "paragraph separator", "\u2060": "word joiner", "\ufeff": "byte order mark",
}  # fmt: skip


def _named(character: str) -> str:
    codes = " ".join(f"U+{ord(one):04X}" for one in character)
    return f"{codes} ({_KNOWN[character]})" if character in _KNOWN else codes


# -- garbled text ----------------------------------------------------------------------------------

# Two characters in a row that are no ASCII and no East Asian script; clean text with a ° or é here
# and there has none.
_ODD_PAIR = re.compile("[\x80-\u04ff\u2013-\u2122][\x80-\u04ff\u2010-\u2593]|[ÃÂ] ")
# 縺れる (to tangle) and 繧繝 (a pattern of cloth) are words; every other use of these characters is
# mojibake.
_SJIS = re.compile("縺(?![れらりるろっ])|繧(?!繝)|(?<!繧)繝|[ｦ-ﾟ][一-龥]|[一-龥][ｦ-ﾟ]")
_EUC = re.compile("(?:[､･][｡-ﾟ]){2}|(?:[¤¥][\xa1-\xfe]){2}")
_OTHER = re.compile("[銇銈銉]|[‚ƒ][\xa1-\xff‚ƒ‰Š‹Œ‘-”•–—˜™š›œžŸ]|[\x80-\x9f][\x80-\xff]")
_JAPANESE = re.compile("[ぁ-ゖァ-ヺー一-龥、。]")
_KANA = re.compile("[ぁ-ゖァ-ヺ]")
_LETTER = re.compile("[^\x00-\x7f]+(?:[ -~]{1,2}[^\x00-\x7f]+)*")
_PRIVATE = re.compile("[\ue000-\uf8ff]")
# (read with, written in): the pairs that spoil Japanese; ftfy knows those that spoil Western text.
_READINGS = (
    ("cp932", "utf-8"),
    ("gb18030", "utf-8"),
    ("latin-1", "utf-8"),
    ("latin-1", "cp932"),
    ("cp1252", "cp932"),
    ("latin-1", "euc_jp"),
    ("cp932", "euc_jp"),
)


def _mojibake(text: str) -> Iterator[_Fault]:
    if text.isascii():
        return
    at = text.find("\ufffd")
    if at >= 0:
        count = text.count("\ufffd")
        what = f"holds {count} characters" if count > 1 else "holds a character"
        what += " lost in a wrong decoding (U+FFFD �)."
        yield _Fault("mojibake", None, at, at + 1, what)
        return
    for pattern in (_SJIS, _EUC, _OTHER):
        for found in islice(pattern.finditer(text), 5):
            for start, end, run in _runs(text, found.start()):
                right = _reread(run)
                if not right:
                    continue
                what = f'is garbled: "{_brief(run)}" was "{_brief(right)}".'
                yield _Fault("mojibake", None, start, end, what)
                return
    if _ODD_PAIR.search(text):
        from ftfy import fix_encoding
        from ftfy.badness import BADNESS_RE

        bad = BADNESS_RE.search(text)
        if bad:
            start, end, _ = _run_around(text, bad.start())
            while start and text[start - 1].isalnum():
                start -= 1
            while end < len(text) and text[end].isalnum():
                end += 1
            run = text[start:end]
            right = fix_encoding(run)
            what = f'is garbled: "{_brief(run)}"'
            what += f' was "{_brief(right)}".' if right != run else "."
            yield _Fault("mojibake", None, start, max(end, bad.end()), what)
            return
    private = _PRIVATE.search(text)
    if private:
        what = f"holds a private-use character (U+{ord(private[0]):04X}, 外字), which no font shows alike."
        yield _Fault("mojibake", "warning", private.start(), private.end(), what)


def _brief(text: str) -> str:
    return visible(text if len(text) <= 24 else text[:23] + "…")


def _runs(text: str, at: int) -> Iterator[tuple[int, int, str]]:
    """The whole run around a place, then shorter pieces from there: clean text may stand beside the
    garbled.
    """
    whole = _run_around(text, at)
    yield whole
    for size in (24, 16, 12, 8, 6, 5, 4, 3, 2):
        if at + size <= whole[1]:
            yield at, at + size, text[at : at + size]


def _run_around(text: str, at: int) -> tuple[int, int, str]:
    """The stretch of other than ASCII characters around a place, letters between them included; 200
    at most.
    """
    first = max(0, at - 100)
    for run in _LETTER.finditer(text, first, at + 100):
        if run.end() > at:
            return run.start(), run.end(), run[0]
    return at, at + 1, text[at : at + 1]


def _reread(run: str) -> str | None:
    """What a run of garbled characters was before, or None where it is not garbled that way.

    Wrong guesses rarely survive: bytes in one encoding are seldom valid, and Japanese, in another.
    Up to half of the characters may be lost, as they are where the wrong encoding had no character
    for a byte.
    """
    for read_with, written_in in _READINGS:
        if read_with == "cp1252":
            raw = b"".join(_cp1252(character) for character in run)
        else:
            raw = run.encode(read_with, errors="ignore")
        right = raw.decode(written_in, errors="replace")
        beyond_ascii = len(re.sub("[ -~]", "", right))
        japanese = len(_JAPANESE.findall(right))
        if written_in == "utf-8":  # nearly nothing but UTF-8 is valid UTF-8
            if japanese and 2 * japanese >= beyond_ascii:
                return right
        elif japanese >= 2 and 10 * japanese >= 9 * beyond_ascii and _KANA.search(right):
            return right
    return None


def _cp1252(character: str) -> bytes:
    # The web's cp1252: bytes without a character of their own pass as control characters.
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1", errors="ignore")


# -- tokens of templates ---------------------------------------------------------------------------

# Kept whole by the tokenizers of the course's models beside those that end a turn.
_ADDED_TOKEN = re.compile(r"<(?:pad|unk|mask)>|<(?:start|end)_of_image>|<unused\d{1,2}>")
# Qwen's own words for thoughts and tools: whole tokens, and meant where the rows teach thinking or
# tools.
_THOUGHT = re.compile(r"</?(?:think|tool_call|tool_response)>")


def _special_tokens(text: str) -> Iterator[_Fault]:
    if "<" not in text and "[" not in text:
        return
    for pattern, severity in ((SPECIAL_TOKEN, None), (_ADDED_TOKEN, None), (_THOUGHT, "warning")):
        hits = list(pattern.finditer(text))
        if hits:
            names = ", ".join(dict.fromkeys(hit[0] for hit in hits))
            word = "tokens" if len(hits) > 1 else "token"
            what = f"holds the control {word} {names}."
            yield _Fault("special-token", severity, hits[0].start(), hits[0].end(), what)


# -- HTML ------------------------------------------------------------------------------------------

_FENCE = re.compile(r"(```|~~~)[\s\S]*?(?:\1|\Z)|``[^\n]+?``|`[^`\n]+`")
_MARKUP_WORD = re.compile(
    r"\b(?:HTML5?|XHTML|XML|SVG|JSX|TSX|CSS|DOM|React|Vue|Svelte|Angular|Jinja2?|JavaScript|markup|tags?"
    r"|website|web ?page|BeautifulSoup|XSS)\b|タグ|マークアップ|要素|ウェブページ|スクレイピング"
    r"|JavaScript|HTML|XML|CSS",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(r"<[^<>]*>")
# No placeholder and no type is called so: one of them alone is markup.
_SURE = (
    "br|hr|div|span|table|tbody|thead|tfoot|tr|td|th|ul|ol|li|img|h[1-6]|strong|em|font|center|iframe|script|noscript"
    "|blockquote|html|figcaption|nobr|tt|dl|dt|dd|fieldset|textarea|marquee|small|sup"
)
_TAG = re.compile(
    rf"<(?:(?P<sure>{_SURE})|(?P<short>[abipqsu])|(?P<word>title|address|code|pre|time|label|input|button|body|head|header"
    r"|footer|nav|section|article|aside|main|form|select|option|style|link|meta|video|audio|source|figure|sub|del|ins"
    r"|mark|cite|kbd|samp|var|object|embed|svg|path|canvas|details|summary))"
    r"(?P<rest>(?:\s+[a-zA-Z_:@][\w:.@-]*(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>\"']+))?)*)\s*(?P<slash>/?)>",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    rf"</(?:{_SURE}|[abipqu]|title|address|code|pre|label|button|body|head|style|form|section|header|footer|nav|article"
    r"|aside|main|video|audio|sub|del|ins|mark|svg)\s*>",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"<!--[\s\S]*?-->|<!DOCTYPE\s+html|<!\[CDATA\[", re.IGNORECASE)
_ENTITY = re.compile(
    r"&(?:nbsp|amp|lt|gt|quot|apos|copy|reg|yen|hellip|mdash|ndash|rsquo|lsquo|rdquo|ldquo|laquo|raquo|bull|middot"
    r"|times|trade|euro|#\d{2,6}|#[xX][0-9A-Fa-f]{2,6});"
)
_MENTION = re.compile(
    r"\s*[\"'」』）)]?\s*(?:tags?|elements?|attributes?|stands? for|means?|タグ|要素|属性|って|とは|の意味|コメント)",
    re.IGNORECASE,
)


def _html(text: str, about_markup: bool) -> Iterator[_Fault]:
    if "<" not in text and "&" not in text:
        return
    prose = _FENCE.sub(lambda found: " " * len(found[0]), text)
    hits: list[re.Match[str]] = []
    if "<" in prose:
        closing = list(_CLOSING.finditer(prose))
        names = {hit[0][2:-1].strip().lower() for hit in closing}
        hits += closing
        hits += _COMMENT.finditer(prose)
        for hit in _TAG.finditer(prose):
            name = (hit["sure"] or hit["short"] or hit["word"]).lower()
            attributes = "=" in hit["rest"]
            if (
                hit["sure"]
                or attributes
                or name in names
                or (name == "p" and not _after_word(prose, hit))
            ):
                hits.append(hit)
    hits += _ENTITY.finditer(prose)
    hits = [hit for hit in hits if not _MENTION.match(prose, hit.end())]
    if not hits:
        return
    hits.sort(key=lambda hit: hit.start())
    script = next((hit for hit in hits if re.match(r"</?(?:script|iframe)", hit[0], re.I)), None)
    if about_markup:  # the conversation is about markup, and shows some
        return
    first = script or hits[0]
    names_shown = ", ".join(list(dict.fromkeys(_brief(hit[0]) for hit in hits))[:4])
    what = f"holds {'script' if script else 'HTML'}: {names_shown}"
    yield _Fault("html", None, first.start(), first.end(), what)


def _after_word(text: str, hit: re.Match[str]) -> bool:
    return hit.start() > 0 and (text[hit.start() - 1].isalnum() or text[hit.start() - 1] == "_")
