"""Chat templates for models that come without one."""

from importlib.resources import files


def chat_template(name: str) -> str:
    """The template `name` (a .jinja file beside this one), as transformers and llama.cpp take it.

    The files are laid out to be read: line ends and the spaces around them belong to no prompt.
    """
    lines = files(__name__).joinpath(f"{name}.jinja").read_text(encoding="utf-8").splitlines()
    return "".join(line.strip() for line in lines)
