"""Sphinx's settings, the same for both languages; `site/build.py` names the language."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.search import SearchLanguage, languages
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

HERE = Path(__file__).resolve().parent
logger = logging.getLogger(__name__)
TITLES = {"ja": "10行のデータから量子化モデルまで", "en": "From ten rows to a quantized model"}

extensions = ["myst_nb"]
exclude_patterns = ["files/**"]
templates_path = [str(HERE / "templates")]

# The notebooks show what was recorded. What holds a widget's picture is HTML; no script is needed.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, Any] = {}
nb_render_image_options: dict[str, str] = {}
myst_enable_extensions = ["dollarmath", "html_image"]
myst_dmath_allow_digits = myst_dmath_allow_space = False  # $6.99 is money
myst_heading_anchors = 4
# `site:…` is an address in the built site that this language's build does not know, `site-at:…`
# one with a place on its page.
myst_url_schemes = {
    "http": None,
    "https": None,
    "mailto": None,
    "site": "{{path}}",
    "site-at": "{{path}}#{{fragment}}",
}

html_theme = "sphinx_book_theme"
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_js_files = [("search.js", {"defer": "defer"})]
html_context = {"default_mode": "auto"}
html_favicon = str(HERE / "static" / "bean.svg")
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
html_use_index = False
html_theme_options = {
    "article_header_end": ["language.html", "article-header-buttons.html"],
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navbar_persistent": [],
    "footer_content_items": [],
    "show_toc_level": 2,
    "max_navbar_depth": 2,
}


# Two characters of Japanese, punctuation and full-width forms among them.
_WIDE = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]{2}")


class Japanese(SearchLanguage):
    """Search in Japanese without a dictionary, alike when the index is made and when it is asked.

    Japanese puts no spaces between words, and Sphinx cuts them differently in Python and in the
    browser, which then finds little. Here a run of Japanese characters is all its pairs of
    neighbours (and each character, for a query of one); a page is found if it has all pairs of the
    query.
    """

    lang = "ja"
    language_name = "Japanese"
    # The blanks that `stem` adds make pairs longer than what Sphinx's search takes for too short to
    # be required.
    js_stemmer_code = r"""
var Stemmer = function() {
    this.stemWord = w => /[\u3005-\u30ff\u3400-\u9fff]/.test(w) ? w + "  " : w;
};
"""
    js_splitter_code = r"""
function splitQuery(query) {
    const words = query.normalize("NFKC").match(
        /[\u3005-\u30ff\u3400-\u9fff]+|(?:(?![\u3005-\u30ff\u3400-\u9fff])[\p{L}\p{N}_])+/gu) || [];
    return words.flatMap(word => {
        if (word.length < 3 || !/[\u3005-\u30ff\u3400-\u9fff]/.test(word)) return [word];
        return [...word].slice(1).map((character, i) => word[i] + character);
    });
}
"""
    _japanese = r"[\u3005-\u30ff\u3400-\u9fff]"
    _words = re.compile(rf"{_japanese}+|(?:(?!{_japanese})\w)+")

    def split(self, input: str) -> list[str]:
        found = []
        for word in self._words.findall(unicodedata.normalize("NFKC", input)):
            if re.match(self._japanese, word):
                found += [*word, *(a + b for a, b in pairwise(word))]
            else:
                found.append(word)
        return found

    def stem(self, word: str) -> str:
        return word + "  " if re.match(self._japanese, word) else word.lower()

    def word_filter(self, word: str) -> bool:
        return bool(re.match(self._japanese, word)) or len(word) > 1


def draw_formula(translator: Any, node: nodes.math | nodes.math_block) -> None:
    """A formula as MathML, which the browser draws by itself; MathJax would come from elsewhere."""
    block = isinstance(node, nodes.math_block)
    try:
        drawn = tex2mathml(node.astext(), as_block=block)
    except MathError as error:
        logger.warning("%s: %s", node.astext(), error, location=node)
        raise nodes.SkipNode from error
    translator.body.append(f'<div class="formula">{drawn}</div>' if block else drawn)
    raise nodes.SkipNode


def for_the_page(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """What the templates need to know."""
    language = app.config.language
    context["other_language"] = "en" if language == "ja" else "ja"
    context["other_page"] = context["pathto"]("", resource=True) + (
        f"../{context['other_language']}/{pagename}.html"
    )


def settle(app: Sphinx, config: Any) -> None:
    """What differs between the languages."""
    config.project = config.html_title = TITLES[config.language]
    if config.language == "ja":
        config.nb_code_prompt_show = "コードを表示"
        config.nb_code_prompt_hide = "コードを隠す"


class JoinedLines(SphinxTransform):
    """Lines of Japanese are joined without the blank that a browser puts between two lines."""

    default_priority = 800

    def apply(self, **kwargs: Any) -> None:
        for end in list(self.document.findall(nodes.Text)):
            if end != "\n":  # an end of line within a paragraph is a text of its own
                continue
            around = end.parent.index(end)
            before, after = end.parent[:around], end.parent[around + 1 :]
            if before and after and _WIDE.match(before[-1].astext()[-1:] + after[0].astext()[:1]):
                end.parent.remove(end)


def setup(app: Sphinx) -> None:
    languages["ja"] = Japanese
    app.add_transform(JoinedLines)
    app.add_html_math_renderer("mathml", (draw_formula, None), (draw_formula, None))
    app.connect("config-inited", settle)
    app.connect("html-page-context", for_the_page)
