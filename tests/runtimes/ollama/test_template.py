"""A model's chat format, read off its own template: by rendering, never by likeness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from families import FAMILIES, GEMMA, LLAMA3, QWEN2_5, QWEN3, ZEPHYR, Family, save_family

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.convert import convert
from workshop_helpers.models.chat import chat_prompt
from workshop_helpers.models.load import load_tokenizer
from workshop_helpers.runtimes.ollama.template import chat_format, read_format


def by_jinja(template: str, **names: Any) -> Any:
    """A model's own rendering, from the template alone."""
    import jinja2

    def refuse(why: str) -> None:
        raise jinja2.TemplateError(why)

    made = jinja2.Environment().from_string(template)
    made.globals["raise_exception"] = refuse

    def render(messages: list[dict[str, str]], answered: bool) -> str:
        how = {"add_generation_prompt": not answered, "enable_thinking": False, **names}
        return str(made.render(messages=messages, **how))

    return render


def test_chatml_is_three_lines() -> None:
    found = chat_format("mame")
    assert found.template == (
        "{{ range .Messages\n}}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end\n}}"
        "<|im_start|>assistant\n"
    )
    assert found.stop == ("<|im_end|>", "<|im_start|>")


@pytest.mark.parametrize(
    ("template", "stop", "names"),
    [
        (LLAMA3, ("<|eot_id|>", "<|start_header_id|>"), {"bos_token": "<|begin_of_text|>"}),
        (QWEN2_5, ("<|im_end|>", "<|im_start|>"), {}),
        (QWEN3, ("<|im_end|>", "<|im_start|>"), {}),
        (ZEPHYR, ("</s>", "<|user|>"), {"eos_token": "</s>"}),
        (GEMMA, ("<end_of_turn>", "<start_of_turn>"), {"bos_token": "<bos>"}),
    ],
    ids=["llama3", "qwen2.5", "qwen3", "zephyr", "gemma"],
)
def test_the_format_writes_what_the_template_writes(
    template: str, stop: tuple[str, ...], names: dict[str, str]
) -> None:
    render = by_jinja(template, **names)
    found = read_format(render, bos=names.get("bos_token", ""))
    assert found.stop == stop
    conversation = [
        {"role": "system", "content": " 短く。 "},
        {"role": "user", "content": "\n　一 \t"},
        {"role": "assistant", "content": " 二 "},
        {"role": "user", "content": "三"},
    ]
    for messages in (conversation, conversation[1:], conversation[:2], conversation[3:]):
        wanted = render([dict(m) for m in messages], False)
        assert found.write(messages) == wanted.removeprefix(names.get("bos_token", ""))


def test_particulars_of_the_families() -> None:
    gemma = read_format(by_jinja(GEMMA, bos_token="<bos>"), bos="<bos>")
    assert gemma.inside and gemma.user.trimmed and "Role" in gemma.template
    qwen = read_format(by_jinja(QWEN2_5))
    assert "You are Qwen" in qwen.bare and not qwen.user.trimmed
    thinking = read_format(by_jinja(QWEN3))
    assert thinking.prompt.endswith("<think>\n\n</think>\n\n")
    assert "<think>" not in thinking.answer.before
    llama = read_format(by_jinja(LLAMA3, bos_token="<b>", date_string="24 Dec 2026"), bos="<b>")
    assert "Today Date: 24 Dec 2026" in llama.bare and "24 Dec 2026" in llama.template


def test_braces_of_a_template_stand_for_themselves() -> None:
    template = (
        "{% for m in messages %}{{ '{{' + m.role + '}}' + m.content + '<end>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '{{assistant}}' }}{% endif %}"
    )
    found = read_format(by_jinja(template))
    assert found.write([{"role": "user", "content": "x"}]) == "{{user}}x<end>{{assistant}}"
    assert '{{ "{{" }}' in found.template


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        ("m.content | upper", "changes or leaves out the text"),
        ("loop.index ~ m.content ~ '<end>'", "cannot be written"),
        ("m.role + m.content", "nothing marks the end"),
        ("m.role + m.content + '<end>' + ('!' if '送' in m.content else '')", "does more than"),
    ],
)
def test_templates_that_do_more_are_refused(turn: str, said: str) -> None:
    opened = "{% if add_generation_prompt %}assistant{% endif %}"
    with pytest.raises(WorkshopError, match=said):
        read_format(by_jinja(f"{{% for m in messages %}}{{{{ {turn} }}}}{{% endfor %}}{opened}"))


# One with BOS in front, one whose template writes none, one with the system text in the first turn.
KINDS = [f for f in FAMILIES if f.name in ("llama3", "tinyllama", "gemma3")]


@pytest.mark.parametrize("family", KINDS, ids=str)
def test_a_gguf_tells_what_its_folder_tells(family: Family, tmp_path: Path) -> None:
    folder = save_family(family, tmp_path / "model")
    found = chat_format(convert(folder, tmp_path / "m-F16.gguf").path)
    assert found == chat_format(folder)
    messages = [{"role": "user", "content": "How?"}]
    tokenizer = load_tokenizer(folder)
    wanted = chat_prompt(tokenizer, messages).removeprefix(tokenizer.bos_token or "")
    assert found.write(messages) == wanted
