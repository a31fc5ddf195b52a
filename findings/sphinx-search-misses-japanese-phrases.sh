#!/usr/bin/env bash
# One would guess: a Sphinx site with language = "ja" splits Japanese into words for its search, and so
#   the search finds what stands in a page: for an index of words, the query is split by the same
#   rule.
# What happens: only the build splits. The script in the browser splits at blanks and signs, of which
#   Japanese has none between words: two words that stand side by side in the page are one term to it,
#   which no page has. A number with its counter (500円) is in no index at all. Single words are found.
# Who is hurt: readers of Japanese documentation, who type a phrase as it stands there and are told
#   that nothing matches; nothing in the build says so.
# Seen with: sphinx==9.0.4 (its searchtools.js run by mini-racer==0.14.1, which is V8), on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet sphinx==9.0.4 mini-racer==0.14.1
mkdir "$work/pages"
echo 'language = "ja"' >"$work/pages/conf.py"
cat >"$work/pages/index.rst" <<'RST'
案内
====

返品送料はお客様の負担です。通常配送の料金は500円です。
RST
"$work/venv/bin/python" -m sphinx -q -b html "$work/pages" "$work/site"
cat >"$work/ask.py" <<'PY'
import json
import sys
from pathlib import Path

from py_mini_racer import MiniRacer

# What searchtools.js expects of a page, as far as a query needs it.
PAGE = """
var window = {};
var document = {
  addEventListener: () => {}, readyState: "loading", getElementById: () => null,
  documentElement: {dataset: {}},
};
var DOCUMENTATION_OPTIONS = {};
var SPHINX_HIGHLIGHT_ENABLED = false;
"""
QUERY = "Search._performSearch(...Search._parseQuery({})).length"

site = Path(sys.argv[1])
engine = MiniRacer()
engine.eval(PAGE)
for name in ("_static/doctools.js", "_static/language_data.js", "_static/searchtools.js",
             "searchindex.js"):
    engine.eval((site / name).read_text("utf-8"))
page = (site / "index.html").read_text("utf-8")
hits = {}
for query in ("返品", "送料", "配送", "返品送料", "通常配送", "500円"):
    assert query in page, "it stands in the page"
    hits[query] = engine.eval(QUERY.format(json.dumps(query)))
engine.close()
print("pages found:", hits)
wanted = {"返品": 1, "送料": 1, "配送": 1, "返品送料": 0, "通常配送": 0, "500円": 0}
assert hits == wanted, "the behaviour has changed"
PY
"$work/venv/bin/python" "$work/ask.py" "$work/site"
