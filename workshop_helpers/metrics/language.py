"""Which language a text is in, and whether its Japanese is polite: by script and sentence ends."""

from __future__ import annotations

import re

_NEUTRAL = re.compile(r"```.*?(?:```|$)|`[^`\n]*`|https?://\S+|\S{1,64}@\S+", re.S)
_KANA = re.compile(r"[\u3041-\u309f\u30a1-\u30fa\uff66-\uff9f]")
_HAN = re.compile(r"[\u3005\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’][a-z]+)?")


def detect_language(text: str) -> str:
    """ "en", "ja" or "?" by the script of a text; code, addresses and quantities count for neither.

    A Japanese character weighs as much as a Latin word, so that Japanese with English terms stays
    Japanese. Long text in Chinese characters without any kana is "?", as is one without letters.
    """
    text = _NEUTRAL.sub(" ", text)
    kana, han = len(_KANA.findall(text)), len(_HAN.findall(text))
    words = len(_WORD.findall(text))
    if kana + han > words:
        return "?" if kana == 0 and han >= 10 else "ja"
    return "en" if words else "?"


def has_letters(text: str) -> bool:
    """Whether a text holds a Latin word or a Japanese character: "$6.99" is in no language."""
    return any(script.search(text) for script in (_WORD, _KANA, _HAN))


def bytes_per_character(text: str) -> float:
    """Bytes of UTF-8 for a character: 1 in English, nearly 3 in Japanese."""
    return 1.0 if text.isascii() else len(text.encode("utf-8", "surrogatepass")) / len(text)


def quick_language(text: str, density: float) -> str:
    """As `detect_language`, for a million texts: by the `bytes_per_character` where that tells (a
    Japanese character is three bytes of UTF-8, a Latin letter one or two) and there is no code.
    """
    if text.isascii():
        words = text[:1].isalpha() or _WORD.search(text)
        return "en" if words and "`" not in text else detect_language(text)
    if density > 2.2 and _KANA.search(text):
        return "ja"
    return "en" if density < 1.1 and "`" not in text and len(text) > 20 else detect_language(text)


_POLITE = re.compile(
    r"(?:です|でした|でしょう|ます|ました|ません|ませんでした|ましょう|ください|下さい|くださいませ|ございます"
    r"|いたします|ませ|願います|ですが|ますが|ので)(?:か|ね|よ|よね|が|けど|けれども)?$"
)
_PLAIN = re.compile(
    r"(?:だ|だった|である|であった|ない|なかった|した|する|った|いた|[うくすつぬむるぐぶ]|だろう|しろ|よう"
    r"|たい|しい|らしい)(?:か|ね|よ|よね|ぞ|わ|さ|な|ぜ|よな|けど|から)?$"
)
_LIST_LINE = re.compile(r"^\s*(?:[-*・•●▪■※]|[0-9０-９]{1,2}[.)．）、]|[①-⑳])")
_SENTENCE_END = re.compile(r"[。！？!?]|(?<=[\u3041-\u3096])[.．](?=\s|$)")
_CLOSING = r"[\s」』）)】\]♪☆★~〜～ー…・、,:：*_^\U0001f300-\U0001faff]"
_AFTER_THE_END = re.compile(rf"(?<!{_CLOSING}){_CLOSING}+$")
_ALWAYS_POLITE = (
    "ます", "です", "ません", "ください", "ました", "でした", "でしょうか", "ますか", "ですか",
)  # fmt: skip
_POLITE_ENDS = tuple(f"{ending}。" for ending in _ALWAYS_POLITE)


def manners(text: str) -> tuple[int, int]:
    """How many sentences of Japanese text are in です・ます, and how many in plain form.

    List lines and sentences that end in a noun are of neither manner. The sentence ends are
    matched, not parsed, so an unusual ending may pass as neither.
    """
    polite = plain = 0
    for line in text.splitlines():
        for sentence in _SENTENCE_END.split(line):
            ending = _AFTER_THE_END.sub("", sentence)
            if _POLITE.search(ending):
                polite += 1
            elif _PLAIN.search(ending) and not _LIST_LINE.match(line):
                plain += 1
    return polite, plain


def is_polite(text: str) -> bool | None:
    """Whether Japanese text speaks in です・ます: some sentence does, and plain ones are not more.
    None where no sentence is in either manner; see `manners`.
    """
    polite, plain = manners(text)
    return polite >= plain if polite or plain else None


def all_polite(text: str) -> bool:
    """Whether all sentences end in a common form of です・ます. Much quicker than `manners`."""
    body, stop, rest = text.rstrip().rpartition("。")
    if rest and not rest.endswith(_ALWAYS_POLITE):
        return False
    # No two of the endings can be counted for the same 。
    return body.count("。") + len(stop) == sum(text.count(ending) for ending in _POLITE_ENDS)
