"""A link that leads nowhere fails the build of the site, wherever it is found."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def stage(builder, tmp_path):
    return builder.Stage("en", tmp_path / "en")


def link(stage, text: str, source: str, name: str) -> str:
    return stage.prose(text, ROOT / source, stage.folder / name)


@pytest.mark.parametrize(
    ("source", "name", "written", "staged"),
    [
        ("docs/en/rows.md", "guides/rows.md", "models.md", "../guides/models.md"),
        ("docs/en/rows.md", "guides/rows.md", "../../README.md#guides", "../start.md#guides"),
        ("docs/en/rows.md", "guides/rows.md", "../ja/rows.md", "site:../../ja/guides/rows.html"),
        ("docs/en/mac.md", "guides/mac.md", "troubleshooting.md#never-stops", "#never-stops"),
        ("README.md", "start.md", "LICENSE", "files/LICENSE"),
        ("README.md", "start.md", "https://example.org/x", "https://example.org/x"),
        ("README.md", "start.md", "data/shop/README.md", "more/shop.md"),
        ("README.md", "start.md", "notebooks/en/", "index.md"),
    ],
)
def test_links_lead_where_they_lead_in_the_repository(source, name, written, staged, stage):
    assert link(stage, f"[x]({written})", source, name) == f"[x]({staged})"


def test_code_is_left_alone(stage):
    text = "`[x](y)` and [`x`](models.md)\n\n```text\n[x](y)\n```\n"
    assert link(stage, text, "docs/en/rows.md", "guides/rows.md") == text.replace(
        "models.md", "../guides/models.md"
    )


def test_pictures_written_in_html_are_taken_along(stage):
    text = '<img src="docs/images/overview.en.svg" width="32%">'
    staged = link(stage, text, "README.md", "start.md")
    assert staged == text.replace("docs", "files/docs")
    assert (stage.folder / "files/docs/images/overview.en.svg").is_file()


def test_badges_from_elsewhere_become_words(stage):
    badge = "[![Open](https://example.org/badge.svg)](https://example.org/open)"
    assert link(stage, badge, "README.md", "start.md") == "[Open](https://example.org/open)"


@pytest.mark.parametrize("written", ["nowhere.md", "../../../../etc/hosts", "en/rows.md#x"])
def test_a_link_to_nowhere_in_a_source_is_told(written, builder, stage):
    with pytest.raises(builder.BrokenLink, match="rows.md"):
        link(stage, f"[x]({written})", "docs/en/rows.md", "guides/rows.md")


def test_a_place_that_a_page_has_not_is_told(builder, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "index.md").write_text(
        "# A\n\n[x](other.md#no-such-place)\n\n```{toctree}\nother\n```\n"
    )
    (source / "other.md").write_text("# B\n\n## C\n\n[c](other.md#c)\n")
    run = builder._sphinx("en", source, tmp_path / "out")
    told, _ = run.communicate()
    assert run.returncode != 0
    assert "no-such-place" in told


def test_faults_of_a_built_page_are_told(builder, tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="here"></p><a href="#here"></a><a href="#there"></a><a href="b.html#x"></a>'
        '<a href="gone.html"></a><img src="gone.png"><script src="https://cdn.example/x.js"></script>'
        '<style>@import "//fonts.example/css";</style><a href="https://example.org">fine</a>'
        '<a href="../outside.html"></a><img src="data:image/png;base64,AA">'
    )
    (tmp_path / "b.html").write_text('<link rel="canonical" href="b.html">')
    (tmp_path / "c.css").write_text("p { background: url(https://elsewhere.example/p.png) }")
    assert sorted(builder.faults(tmp_path)) == [
        "a.html links to #there, which has no such place",
        "a.html links to ../outside.html, which is not there",
        "a.html links to b.html#x, which has no such place",
        "a.html links to gone.html, which is not there",
        "a.html loads //fonts.example/css from elsewhere",
        "a.html loads gone.png, which is not there",
        "a.html loads https://cdn.example/x.js from elsewhere",
        "c.css loads https://elsewhere.example/p.png from elsewhere",
    ]


def test_a_folder_with_other_files_is_left_alone(builder, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert builder.main(["--out", str(tmp_path)]) == 1
    assert "already holds other files" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
