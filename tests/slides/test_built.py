"""The built decks are those of their sources, are one file each, and can be built from nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from slides import diagrams, pictures
from slides.build import (
    BUILT,
    HERE,
    KINDS,
    LANGUAGES,
    embedded,
    filled,
    fingerprint,
    images,
    notes_page,
    stale,
    titles,
)
from workshop_helpers.core.errors import WorkshopError

MOST = 5_000_000  # bytes: what may be committed


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_built_files_are_those_of_the_sources(language):
    reason = stale(language)
    assert reason is None, f"talk.{language}: {reason}. Run: make slides"


def test_a_build_that_is_not_of_the_sources_is_noticed(tmp_path, language):
    text = filled(language)
    assert fingerprint(text) == fingerprint(text)
    assert fingerprint(text) != fingerprint(text.replace("1", "2", 1))
    out = tmp_path / "built"
    assert stale(language, out) == "it was never built"
    shutil.copytree(BUILT, out)
    known = json.loads((out / "built.json").read_text())
    known[language]["sources"] = "0"
    (out / "built.json").write_text(json.dumps(known))
    assert stale(language, out) == "its sources changed"
    page = out / KINDS["html"].format(language)
    page.write_bytes(page.read_bytes() + b"\n")
    assert stale(language, out) == f"{page.name} is not the file that was built"
    page.unlink()
    assert stale(language, out) == f"{page.name} is not there"


def test_a_built_deck_is_small_and_one_file_that_needs_no_network(language):
    for name in KINDS.values():
        assert 0 < (BUILT / name.format(language)).stat().st_size < MOST
    html = (BUILT / KINDS["html"].format(language)).read_text(encoding="utf-8")
    loaded = re.findall(
        r'(?:\bsrc="|url\((?:&quot;|["\'])?|@import\s+["\']?)([^"\')&]{1,60})', html
    )
    assert [where for where in loaded if not where.startswith(("data:", "#"))] == []
    assert not re.search(r"<link[^>]+stylesheet", html)


def test_the_pictures_of_slides_are_of_the_built_deck(language):
    assert not pictures.stale(language), "Run: make slides"
    for path in pictures.files(language):
        assert path.stat().st_size <= 150_000


def test_the_notes_have_a_note_for_each_slide(language):
    notes = (BUILT / KINDS["notes"].format(language)).read_text(encoding="utf-8")
    parts = re.split(r"^## (\d+)\. (.+)$", notes, flags=re.M)[1:]
    numbers, headings, texts = parts[::3], parts[1::3], parts[2::3]
    assert list(map(int, numbers)) == list(range(1, len(numbers) + 1))
    assert headings == titles(filled(language))
    assert all(text.strip() for text in texts)
    assert "{{" not in re.sub(r"`[^`]*`", "", notes)


def test_notes_that_do_not_fit_the_slides_are_told():
    with pytest.raises(WorkshopError, match="1 notes for 2 slides"):
        notes_page("---\na: b\n---\n\n# One\n\n---\n\n# Two\n", "only one\n")


def test_pictures_are_put_into_the_page(tmp_path):
    (tmp_path / "diagrams").mkdir()
    (tmp_path / "diagrams" / "a.ja.svg").write_text("<svg/>")
    page = embedded('<img src="diagrams/a.ja.svg" alt="x"/>', tmp_path)
    assert page == '<img src="data:image/svg+xml;base64,PHN2Zy8+" alt="x"/>'


def test_a_picture_that_is_not_there_is_told():
    with pytest.raises(
        WorkshopError, match=r"diagrams/none\.ja\.svg is not there: `make diagrams`"
    ):
        images("![](diagrams/none.ja.svg)")


def test_every_diagram_was_drawn_after_its_last_change():
    sources = diagrams.sources()
    assert [path.name for path in sources if diagrams.stale(path)] == []
    names = {path.name.split(".")[0] for path in sources}
    assert {path.name for path in sources} == {f"{n}.{la}.mmd" for n in names for la in LANGUAGES}
    for path in sources:  # HTML in a picture is not shown
        assert "foreignObject" not in path.with_suffix(".svg").read_text(encoding="utf-8")


def test_a_diagram_that_was_changed_and_not_drawn_is_noticed(tmp_path):
    path = tmp_path / "way.ja.mmd"
    path.write_text("flowchart LR\n  a --> b\n")
    assert diagrams.stale(path)
    path.with_suffix(".svg").write_text(f"<svg/>\n{diagrams.mark(path)}\n")
    assert not diagrams.stale(path)
    path.write_text("flowchart LR\n  a --> c\n")
    assert diagrams.stale(path)


def cannot_build(reason: str) -> None:
    """Skip, but fail where a skip would hide that nothing was tested."""
    if os.environ.get("WORKSHOP_REQUIRE_SLIDES", "0") not in ("", "0"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.mark.slow
def test_the_decks_are_built_from_nothing(tmp_path):
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        cannot_build("Node and npm are not installed; the built decks were not built again")
    for name in ("package.json", ".npmrc"):
        shutil.copyfile(HERE / name, tmp_path / name)
    installed = subprocess.run(
        [str(npm), "install", "--prefer-offline"], cwd=tmp_path, capture_output=True, text=True
    )
    if installed.returncode:
        cannot_build(f"npm could not install Marp: {installed.stderr[-500:]}")
    out, modules = str(tmp_path / "built"), str(tmp_path / "node_modules")
    made = subprocess.run(
        [sys.executable, "-m", "slides.build", "--out", out, "--modules", modules],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    for spoken in LANGUAGES:
        assert stale(spoken, tmp_path / "built") is None
        for kind in ("html", "notes"):  # a PDF is never the same twice
            name = KINDS[kind].format(spoken)
            assert (tmp_path / "built" / name).read_text("utf-8") == (BUILT / name).read_text(
                "utf-8"
            )
        pdf = (tmp_path / "built" / KINDS["pdf"].format(spoken)).read_bytes()
        assert pages(pdf) == len(titles(filled(spoken)))


def words(path: Path) -> list[str]:
    """What a built file says. Its tags may differ: only Marp's own version is pinned."""
    text = path.read_text(encoding="utf-8")
    slides = re.findall(r"<section.*?</section>", text, flags=re.S) or [text]
    return re.sub(r"<[^>]*>", " ", " ".join(slides)).split()


def pages(pdf: bytes) -> int:
    """How many pages a PDF has."""
    text = pdf
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, flags=re.S):
        try:
            text += zlib.decompress(stream)
        except zlib.error:
            continue  # a picture, or something else that is not compressed this way
    return len(re.findall(rb"/Type\s*/Page\b", text))
