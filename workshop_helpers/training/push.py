"""To the Hub: what would be sent, what stays here, and the sending when it is really meant."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ..core.cards import read_card
from ..core.errors import WorkshopError, first_line, from_extra
from ..core.jsonio import read_json
from ..core.outside import Secret, hide
from ..dataset.checks.personal import find_personal
from ..dataset.checks.secrets import find_secrets
from .model_card import base_of, card_file

README = "README.md"
# What a model's folder is made of; anything else in it is named and stays here.
SENT = (
    "*.safetensors", "*.safetensors.index.json", "*.gguf", "config.json", "generation_config.json",
    "adapter_config.json", "tokenizer*.json", "tokenizer.model", "special_tokens_map.json",
    "added_tokens.json", "vocab.*", "merges.txt", "chat_template.*", "card.json", "Modelfile",
    README, "LICENSE*", "NOTICE*",
)  # fmt: skip
_VOCABULARIES = ("tokenizer.json", "vocab.*", "merges.txt", "tokenizer.model")
_WEIGHTS = (".safetensors", ".gguf", ".model")
_FOR_PEOPLE = (".md", ".txt")
_REPO = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)
_OWN_PLACE = re.compile(r'"(?:/|[A-Za-z]:[\\/]|~)[^"]*[\\/][^"]*"')


@dataclass(frozen=True)
class PushPlan:
    """What `push` does: the `files` to send (name in the repository → bytes), those `left` here
    with the reason, why it may not go on (`faults`), and what to think about first (`warnings`).
    """

    folder: Path
    repo: str
    files: dict[str, int]
    left: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Of all files to send."""
        return sum(self.files.values())

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "folder": str(self.folder), "bytes": self.bytes}


def plan_push(folder: str | Path, repo: str) -> PushPlan:
    """What of `folder` would be sent to the repository "OWNER/NAME". Sends nothing.

    Raises WorkshopError for a name that is none, and a folder that is not there.
    """
    folder = Path(folder).expanduser()
    if not _REPO.fullmatch(repo):
        raise WorkshopError(f"{repo!r} names no repository. Example: your-name/shop-adapter")
    if not folder.is_dir():
        raise WorkshopError(f"There is no folder {folder}.")
    plan = PushPlan(folder, repo, {})
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if why := _why_left(path, name):
            plan.left[name] = why
        elif path.is_file():
            plan.files[name] = path.stat().st_size
            plan.faults.extend(_private(path, name))
    card = card_file(folder)
    if card.is_file() and README not in plan.files:
        plan.files[README] = card.stat().st_size
        plan.faults.extend(_private(card, README))
    if not any(name.endswith((".safetensors", ".gguf")) for name in plan.files):
        plan.faults.append(f"{folder} holds no weights (.safetensors or .gguf).")
    if README not in plan.files:
        plan.faults.append(f"There is no model card. `workshop card {folder}` writes one.")
    plan.warnings.extend(_about_base(folder))
    return plan


def push(
    folder: str | Path,
    repo: str,
    *,
    really: bool = False,
    public: bool = False,
    endpoint: str | None = None,
    key_env: str = "HF_TOKEN",
) -> tuple[PushPlan, str | None]:
    """Send a model's folder to the Hub as one commit; without `really` only say what would be sent.

    `endpoint`: another Hub (default: HF_ENDPOINT, or huggingface.co). The token is the one in
    `key_env`, or of `hf auth login`. Returns the plan and the commit's address (None: not sent).
    Raises WorkshopError for faults of the plan, and what the Hub refuses.
    """
    plan = plan_push(folder, repo)
    if not really:
        return plan, None
    if plan.faults:
        raise WorkshopError(f"Nothing was sent: {plan.faults[0]}")
    with from_extra("train", "huggingface_hub"):
        from huggingface_hub import CommitOperationAdd, HfApi, get_token
        from huggingface_hub.errors import HfHubHTTPError
    token = os.environ.get(key_env) or get_token()
    if not token:
        raise WorkshopError(
            f"The Hub wants to know who sends: `hf auth login`, or a token in {key_env} with the "
            "right to write."
        )
    hidden = Secret(token)  # as long as it lives, no message shows it
    api = HfApi(endpoint=endpoint, token=token)
    files = [CommitOperationAdd(name, str(_source(plan, name))) for name in plan.files]
    try:
        api.create_repo(repo, private=not public, exist_ok=True)
        said = "Upload of a model and its card"
        made = api.create_commit(repo, files, commit_message=said)
    except (HfHubHTTPError, OSError, ValueError, RuntimeError) as error:
        raise WorkshopError(
            f"The Hub at {api.endpoint} did not take {repo}: {hide(first_line(error))}. Nothing is "
            "there that was not before, or an empty repository."
        ) from None
    finally:
        del hidden
    return plan, str(made.commit_url)


def _source(plan: PushPlan, name: str) -> Path:
    inside = plan.folder / name
    return inside if inside.is_file() else card_file(plan.folder)


def _why_left(path: Path, name: str) -> str:
    if path.is_symlink():
        return "a link"
    if path.is_dir():
        return ""
    if any(part.startswith(".") for part in Path(name).parts):
        return "hidden"
    if path.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"):
        return "may be a pickle, which runs code when it is loaded"
    if not any(fnmatch(path.name, pattern) for pattern in SENT):
        return "not a part of a model"
    return ""


def _private(path: Path, name: str) -> list[str]:
    """Keys, and in texts for people personal data, of a file that would be sent; masked."""
    if path.suffix in _WEIGHTS or any(fnmatch(path.name, one) for one in _VOCABULARIES):
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    spans = [span for span in find_secrets(text) if span.severity == "error"]
    if path.suffix in _FOR_PEOPLE:
        spans += find_personal(text)
    return [
        f"{name}, line {text.count(chr(10), 0, span.start) + 1}: {span.kind} ({span.masked})"
        for span in spans
    ]


def _about_base(folder: Path) -> list[str]:
    card = read_card(folder) or {}
    entry = base_of(card)
    said = []
    if entry is None:
        said.append(
            f"The licence of the base ({card.get('base') or 'not recorded'}) is not known here. "
            "Find out whether what is made from it may be passed on."
        )
    elif entry.gated:
        said.append(
            f"{entry.name} is gated ({entry.licence}): pass its terms on with what you publish."
        )
    if entry is not None and entry.source == "bundled" and card.get("kind") == "adapter":
        said.append(
            f"The base {entry.name} is not on the Hub: an adapter alone is of no use there."
        )
    for name in ("adapter_config.json", "card.json"):
        path = folder / name
        if path.is_file() and _OWN_PLACE.search(path.read_text(encoding="utf-8", errors="replace")):
            said.append(f"{name} names a place on this machine, which nobody else has.")
    config = folder / "adapter_config.json"
    if config.is_file() and not read_json(config, dict).get("base_model_name_or_path"):
        said.append("adapter_config.json names no base model.")
    return said
