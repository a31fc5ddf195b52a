#!/usr/bin/env bash
# One would guess: a page that lxml has parsed holds all the text of the file; lxml is lenient, and
#   where it gives up it raises or warns.
# What happens: an element that lies deeper than about 255 levels is left out with all its text, and
#   what follows it on the page, too. Nothing is raised or warned.
# Who is hurt: whoever makes training rows or a corpus from saved pages, directly or through one of
#   the extractors on top of lxml.html: mail threads quoted again and again, exported chats and pages
#   of site builders nest this deep, and their answers vanish. BeautifulSoup(page, "lxml") keeps them.
# Seen with: lxml==6.1.3, beautifulsoup4==4.15.0, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet lxml==6.1.3 beautifulsoup4==4.15.0
cd "$work"
venv/bin/python -W error - <<'PY'
from importlib.metadata import version

import lxml.html
from bs4 import BeautifulSoup

print("lxml", version("lxml"), "beautifulsoup4", version("beautifulsoup4"))
read = {
    "lxml.html": lambda page: lxml.html.fromstring(page).text_content(),
    "BeautifulSoup": lambda page: BeautifulSoup(page, "lxml").get_text(),
}
kept = {}
for name, text_of in read.items():
    for depth in (200, 300):
        quoted = "<blockquote>" * depth + "<p>Takes 14 days. </p>" + "</blockquote>" * depth
        page = f"<html><body><p>Hello. </p>{quoted}<p>Bye.</p></body></html>"
        text = text_of(page)
        kept[name, depth] = "14 days" in text
        print(f"{name:13} {depth} levels: {text!r}")
assert kept == {
    ("lxml.html", 200): True,
    ("lxml.html", 300): False,
    ("BeautifulSoup", 200): True,
    ("BeautifulSoup", 300): True,
}, "the behaviour has changed"
PY
