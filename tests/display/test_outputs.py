"""The outputs of a cell outside of its notebook."""

from __future__ import annotations

from workshop_helpers.display.outputs import outputs_view


def shown(**data):
    return {"output_type": "display_data", "data": data, "metadata": {}}


def test_html_comes_before_pictures_and_pictures_before_text():
    both = shown(**{"text/html": ["<b>", "豆</b>"], "image/png": "AAAA", "text/plain": "bean"})
    picture = shown(**{"image/png": "AAAA\n", "text/plain": "<Figure>"})
    view = outputs_view([both, picture, shown(**{"text/plain": "a < b"})])
    assert "<b>豆</b>" in view.html and view.html.count("<img") == 1
    assert 'src="data:image/png;base64,AAAA" alt="&lt;Figure&gt;"' in view.html
    assert "a &lt; b" in view.html
    assert view.text == "bean\n<Figure>\na < b"


def test_printed_text_loses_colours_and_keeps_the_last_state_of_a_bar():
    printed = {
        "output_type": "stream",
        "name": "stdout",
        "text": "\x1b[1mten\x1b[0m\r\n1%\r50%\r\n",
    }
    view = outputs_view([printed])
    assert view.text == "ten\n50%"
    assert "1%" not in view.html


def test_an_error_is_its_name_and_what_it_says():
    error = {"output_type": "error", "ename": "ValueError", "evalue": "<no>", "traceback": ["…"]}
    view = outputs_view([error])
    assert view.text == "ValueError: <no>" and "&lt;no&gt;" in view.html


def test_nothing_shown_is_nothing():
    assert outputs_view([]).html == ""
