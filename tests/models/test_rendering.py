"""Chat templates write what transformers writes, and cannot run on for ever."""

from __future__ import annotations

import time

import pytest
from tiny_models import CHATML, make_tokenizer

from benchmarks.family_models import LLAMA3, QWEN2_5, QWEN3, ZEPHYR
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.models import rendering
from workshop_helpers.models.chat import chat_prompt, chat_prompts, stop_token_ids
from workshop_helpers.models.rendering import Refused, render
from workshop_helpers.models.templates import chat_template

ASKED = {"role": "user", "content": "送料は <b>500</b>円?\n\n 'a' \"b\" \\"}
ANSWER = {"role": "assistant", "content": "はい。\n"}
CHATS = (
    [ASKED], [ASKED, ANSWER], [{"role": "system", "content": "S"}, ASKED, ANSWER, ASKED],
)  # fmt: skip
NO_END = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
TEMPLATES = {
    "llama3": LLAMA3,
    "qwen2.5": QWEN2_5,
    "qwen3": QWEN3,
    "tinyllama": ZEPHYR,
    "gemma": chat_template("gemma"),
    "ChatML": CHATML,
    "filters": "{{ messages|tojson }}{{ messages|tojson(indent=2) }}{{ tools is none }}{{ none }}",
    "generation": "a{% generation %}\n b {{ messages[0].content }}{% endgeneration %}\n c",
    "loops": "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}"
    "{%- endfor -%}  x",
    "refusing": "{{ raise_exception('system first') }}",
    "faulty": "{% for %}",
    "secrets": "{{ messages.__class__.__mro__ }}{{ cycler.__init__.__globals__ }}",
}


def theirs(template: str, chat: list[dict[str, str]], answered: bool) -> str:
    from transformers.utils.chat_template_utils import render_jinja_template

    how = {"add_generation_prompt": not answered, "enable_thinking": False, "bos_token": "<s>"}
    return str(render_jinja_template([chat], chat_template=template, **how)[0][0])


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_writes_what_it_writes_in_transformers(name: str) -> None:
    template = TEMPLATES[name]
    for chat in CHATS:
        for answered in (True, False):
            try:
                wanted = theirs(template, chat, answered)
            except Exception as error:  # whatever a template raises
                with pytest.raises(Refused, match=str(error)[:20]):
                    render(template, chat, answered=answered, bos_token="<s>")
            else:
                assert render(template, chat, answered=answered, bos_token="<s>") == wanted


def test_many_chats_are_rendered_as_one_by_one_and_each_refusal_is_its_own() -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}{{ raise_exception('no ' + m.content) if m.role == 'system' }}"
        "{{ m.role }}:{{ m.content }}{{ bos_token }};{% endfor %}"
    )
    asked, refused, other = CHATS[1], CHATS[2], [{"role": "system", "content": "T"}, ASKED]
    texts = [chat_prompt(tokenizer, chat, answer=True) for chat in (asked, [ASKED])]
    assert chat_prompts(tokenizer, [asked, [ASKED]], answer=True) == texts
    made = chat_prompts(tokenizer, [asked, refused, [ASKED], other], answer=True)
    assert made[::2] == texts
    for one, said in ((made[1], "system, user, assistant, user.*no S"), (made[3], "no T")):
        with pytest.raises(Refused, match=said):
            raise one  # type: ignore[misc]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "SECONDS", 0.5)


def test_a_template_without_end_is_given_up_and_the_next_one_is_rendered(hasty: None) -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = NO_END
    began = time.monotonic()
    with pytest.raises(WorkshopError, match="did not come to an end"):
        chat_prompt(tokenizer, [ASKED])
    assert time.monotonic() - began < 8
    assert render("{{ messages[0].role }}", [ASKED]) == "user"
    with pytest.raises(WorkshopError, match="did not come to an end"):
        stop_token_ids(tokenizer)


@pytest.mark.parametrize(
    "template", ["{{ 'a'.center(99999999999) }}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"]
)
def test_a_template_that_takes_all_memory_is_refused(template: str) -> None:
    with pytest.raises(Refused, match=r"refuses these messages \(user\): (Memory|maximum rec)"):
        render(template, [ASKED])
