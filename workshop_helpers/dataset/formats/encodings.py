"""Detection of a text's encoding, by byte order mark, validity as UTF-8, or likely Japanese.

Valid UTF-8 is almost never another encoding. To distinguish Shift_JIS from EUC-JP, the bytes are
decoded as both and the results weighed: the wrong one gives unlikely sequences of half-width
katakana, rare characters, or invalid ones.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from ...core.wordings import Wording, entries
from .faults import word

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_ENOUGH = 0.3  # minimum mean weight of a character to accept an encoding
_WEIGHED = 20_000  # number of weighed characters; more do not change the result
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fc]")
_VOICED = "ｳｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾊﾋﾌﾍﾎ"
# The apostrophes of "it’s", "don’t", "I’m" in Windows-1252, decoded as Shift_JIS.
_APOSTROPHE = b"\x92s\x92t\x92d\x92m\x92r\x92v".decode("cp932")


@dataclass(frozen=True)
class Encoding:
    """name: Python's name, None if the encoding is unknown; reason: why."""

    name: str | None
    reason: Wording


def spoken(name: str) -> Wording | str:
    """The display name of an encoding, for Python's name."""
    entry = f"encoding-name.{name}"
    return word(entry) if entry in entries("formats") else name


def detect(sample: bytes, *, whole: bool = True) -> Encoding:
    """The encoding of these bytes.

    sample: the start of a file, or the part around its first non-ASCII byte; whole: the sample ends
    with the file, so a character cut off at its end is a fault.
    """
    if sample.startswith(codecs.BOM_UTF8):
        return Encoding("utf-8-sig", word("coding.bom"))
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return Encoding(None, word("undecided.mark", encoding=name))
    if sample.isascii():
        if re.search(rb"\x1b\$[@B]", sample):
            return Encoding("iso2022_jp", word("coding.escapes", encoding=spoken("iso2022_jp")))
        if sample[:400].count(0) * 3 > len(sample[:400]):
            return Encoding(None, word("undecided.utf-16"))
        return Encoding("utf-8", word("coding.ascii"))
    if not whole:
        sample = _whole_characters(sample)
    if _is_utf8(sample):
        return Encoding("utf-8", word("coding.valid"))
    if sample.count(0) * 20 > len(sample):
        return Encoding(None, word("undecided.zeros"))
    return _weigh_all(sample)


def likely(raw: bytes) -> Wording | str:
    """The likely encoding of a line that is not UTF-8 ("; it looks like Shift_JIS"), or ""."""
    best = max(("cp932", "euc_jp"), key=lambda name: weigh(raw, name))
    if weigh(raw, best) < _ENOUGH:
        return _western(raw)
    return word("guess.looks", encoding=spoken(best))


def _whole_characters(sample: bytes) -> bytes:
    """The sample without a character that its end may have cut."""
    end = sample.rfind(b"\n")
    if end > 0 and not sample[:end].isascii():
        return sample[:end]
    # One long line. A byte below "@" is a single character in all of these encodings.
    end = max((place for place in range(len(sample)) if sample[place] < 0x40), default=len(sample))
    return sample[: end + 1]


def _weigh_all(sample: bytes) -> Encoding:
    weights = {name: weigh(sample, name) for name in ("utf-8", "cp932", "euc_jp")}
    best = max(weights, key=lambda name: weights[name])
    if weights[best] < _ENOUGH and _mostly_utf8(sample):
        best, weights["utf-8"] = "utf-8", _ENOUGH
    if weights[best] < _ENOUGH:
        return Encoding(None, word("undecided.unknown", guess=_guess(sample)))
    if best == "utf-8":
        return Encoding("utf-8", word("coding.nearly"))
    text = sample.decode(best, "replace")
    foreign = sum(character > "\x7f" for character in text[:_WEIGHED])
    if foreign >= 12 and not _KANA.search(text):
        reason = word("undecided.no-kana", encoding=spoken(best), guess=_guess(sample))
        return Encoding(None, reason)
    other = {"cp932": "EUC-JP", "euc_jp": "Shift_JIS"}[best]
    return Encoding(best, word("coding.japanese", encoding=spoken(best), other=other))


def _mostly_utf8(sample: bytes) -> bool:
    """Whether half of the lines are valid UTF-8; the others are then reported one by one."""
    lines = [line for line in sample.splitlines() if line.strip()]
    return 2 * sum(map(_is_utf8, lines)) >= len(lines)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _guess(sample: bytes) -> Wording | str:
    """The likely encoding, only for the message of a fault."""
    if western := _western(sample):
        return western
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return ""
    match = from_bytes(sample[:4096]).best()
    if match is None or match.encoding == "ascii":
        return ""
    return word("guess.may", encoding=spoken(match.encoding))


def _western(raw: bytes) -> Wording | str:
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError:
        return ""
    foreign = [character for character in text if character > "\x7f"]
    usual = sum(character.isalpha() or character in "‘’“”–—…€£°«»©®" for character in foreign)
    if foreign and usual > 0.9 * len(foreign) and len(foreign) < 0.3 * len(text):
        return word("guess.looks", encoding=word("encoding-name.cp1252"))
    return ""


def weigh(raw: bytes, encoding: str) -> float:
    """The mean weight of the non-ASCII characters when the bytes are decoded as `encoding`."""
    text = raw.decode(encoding, "replace")[:_WEIGHED]
    if encoding == "utf-8":
        # Any valid multi-byte character is sufficient evidence.
        weights = [
            -3.0 if character == "\ufffd" else 1.0 for character in text if character > "\x7f"
        ]
    else:
        triples = zip(" " + text, text, text[1:] + " ", strict=False)
        weights = [_weight(one, before, after) for before, one, after in triples if one > "\x7f"]
    return sum(weights) / len(weights) if weights else 0.0


def _weight(character: str, before: str, after: str) -> float:
    code = ord(character)
    if character == "\ufffd":
        return -3.0
    if 0xE000 <= code <= 0xF8FF:  # private-use characters of Shift_JIS
        return -2.0
    if 0xFF61 <= code <= 0xFF9F:
        return _half_width(character, before, after)
    if _latin(before) and (_latin(after) or after == " " or character in _APOSTROPHE):
        return -1.0
    if (
        0x3041 <= code <= 0x3096
        or 0x30A1 <= code <= 0x30FE
        or character in "、。「」『』・！？（）〜～"
    ):
        return 1.0
    if 0x4E00 <= code <= 0x9FFF:
        # The common kanji are level 1 of JIS X 0208, rows 16 to 47 (EUC-JP lead bytes B0 to CF).
        lead = character.encode("euc_jp", "replace")[0]
        return 0.7 if 0xB0 <= lead <= 0xCF else -0.2
    if 0xFF01 <= code <= 0xFF5E or 0x2460 <= code <= 0x33FF or 0x3000 <= code <= 0x303F:
        return 0.6
    if 0x0370 <= code <= 0x04FF or 0x2500 <= code <= 0x257F:  # Greek, Cyrillic, box drawing
        return -0.3
    return 0.2 if 0x2000 <= code <= 0x2BFF or character in "×÷±°§¶´¨" else -1.0


def _half_width(character: str, before: str, after: str) -> float:
    def kana(other: str) -> bool:
        return "\uff61" <= other <= "\uff9f"

    if character in "ﾞﾟ":
        return 0.5 if before in _VOICED else -1.0
    if character in "ｰｧｨｩｪｫｬｭｮｯ":
        return 0.5 if kana(before) and before not in "｡｢｣､･" else -1.0
    if character in "｡｢｣､･":
        return 0.2 if kana(before) or kana(after) else -0.2
    return 0.5 if kana(before) or kana(after) else -0.5


def _latin(character: str) -> bool:
    return character.isascii() and character.isalpha()


def wide(encoding: str) -> bool:
    """Whether a line break in this encoding is not the single byte "\\n"."""
    return "\n".encode(encoding.removesuffix("-sig")) != b"\n"
