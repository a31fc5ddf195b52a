"""A model card from what was recorded when the model was made: data, recipe, scores, forgetting,
the licence of the base. What was not measured says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.artifacts import absolute, atomic_file
from ..core.cards import read_card, write_card
from ..core.errors import WorkshopError, foreign, from_extra
from ..core.jsonio import read_json
from ..core.ownership import keep_apart, refuse_foreign_file
from ..core.wordings import say
from ..models.catalogue import CatalogueEntry, find_entry

KIND = "model card"
# The catalogue's licences as the hub calls them; others stand there as "other", with their name.
HUB_LICENCES = {
    "MIT": "mit", "Apache-2.0": "apache-2.0", "Llama 3.2 Community License": "llama3.2",
    "Gemma Terms of Use": "gemma",
}  # fmt: skip
_RECIPE = (
    "rank", "alpha", "dropout", "target_modules", "learning_rate", "epochs", "batch_size",
    "gradient_accumulation", "schedule", "warmup", "max_length", "general_rows", "seed",
)  # fmt: skip
_SHARES = ("recall", "full", "contradicted")
Measured = str | Path | Mapping[str, Any] | None


def card_file(folder: str | Path) -> Path:
    """Where the model card of a folder lies: beside it, for what is in it stays as it was made."""
    folder = Path(folder)
    return folder.with_name(f"{folder.name}.README.md")


def write_model_card(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    name: str | None = None,
    language: str = "en",
    licence: str | None = None,
    scores: Measured = None,
    forgetting: Measured = None,
    overwrite: bool = False,
) -> Path:
    """Write the README.md of an adapter or a model that the course made, with the hub's metadata.

    `out`: default `card_file`. `language`: of the text. `licence`: the hub's name of it, for a base
    that the catalogue does not know. `scores`: a comparison's `to_dict()` or a file of it
    (`workshop verify … --json`); `forgetting`: a probe's. Returns the file.
    Raises WorkshopError for a folder without a card, or a file that another program made.
    """
    folder = Path(folder).expanduser()
    out = Path(out).expanduser() if out is not None else card_file(folder)
    card = read_card(folder)
    if card is None or card.get("kind") not in ("adapter", "model"):
        raise WorkshopError(
            f"{folder} has no card of an adapter or a model of this course: `workshop train` and "
            "`workshop merge` make them."
        )
    given = [one for one in (scores, forgetting) if isinstance(one, str | Path)]
    keep_apart(out, [folder, *given])
    refuse_foreign_file(out, KIND, overwrite=overwrite)
    with foreign(folder / "card.json"):
        text = _text(folder, card, name or folder.name, language, licence,
                     _read(scores), _read(forgetting))  # fmt: skip
    with atomic_file(out) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    write_card(out, {"kind": KIND})
    return out


def base_of(card: Mapping[str, Any]) -> CatalogueEntry | None:
    """The catalogue's entry of the model that an artifact goes back to."""
    return find_entry(str(card.get("origin") or card.get("base") or ""))


def training_card(folder: Path, card: dict[str, Any]) -> dict[str, Any] | None:
    """The card with the recipe: of the adapter, or of the one that a model was merged from."""
    for _ in range(8):
        if card.get("kind") == "adapter":
            return card
        source = card.get("from") or {}
        if not isinstance(source.get("path"), str):
            return None
        folder = absolute(absolute(folder).parent / source["path"])
        card = read_card(folder) or {}
    return None


def _read(given: Measured) -> Mapping[str, Any] | None:
    if given is None or isinstance(given, Mapping):
        return given
    found: dict[str, Any] = read_json(given, dict)
    return found


def _text(
    folder: Path, card: dict[str, Any], name: str, language: str, licence: str | None,
    scores: Mapping[str, Any] | None, forgetting: Mapping[str, Any] | None,
) -> str:  # fmt: skip
    with from_extra("train", "huggingface_hub"):
        from huggingface_hub import ModelCard

    def line(code: str, **values: Any) -> str:
        return say(f"model-card.{code}", language, **values)

    trained = training_card(folder, card)
    entry = base_of(card)
    base = (entry.hub_id or entry.name) if entry else str(card.get("base"))
    parts = [
        f"# {name}",
        line(str(card["kind"]), base=base),
        f"## {line('data')}", _data(trained, line),
        f"## {line('recipe')}", _recipe(trained, line),
        f"## {line('scores')}", _scores(scores, line),
        f"## {line('forgetting')}", _forgetting(forgetting, line),
        f"## {line('limits')}", line("limits-text"),
        f"## {line('licence')}", _licence(entry, base, licence, line),
    ]  # fmt: skip
    data = _metadata(card, name, entry, licence, scores)
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n"))


def _metadata(
    card: dict[str, Any], name: str, entry: CatalogueEntry | None, licence: str | None,
    scores: Mapping[str, Any] | None,
) -> Any:  # fmt: skip
    from huggingface_hub import EvalResult, ModelCardData

    kind = card["kind"]
    results = [
        EvalResult(
            task_type="text-generation", dataset_type="held-out-questions",
            dataset_name=f"{len(scores['questions'])} held-out questions",
            metric_type="recall", metric_name=f"facts stated ({one['label']})",
            metric_value=round(one["summary"]["recall"], 4),
        )
        for one in (scores or {}).get("candidates", ())
        if scores and one["summary"].get("recall") is not None
    ]  # fmt: skip
    known = HUB_LICENCES.get(entry.licence) if entry else None
    other = entry is not None and known is None and licence is None
    return ModelCardData(
        base_model=entry.hub_id if entry else None,
        base_model_relation=({"adapter": "adapter", "model": "finetune"}[kind])
        if entry and entry.hub_id
        else None,
        language=list(entry.languages) if entry else None,
        library_name="peft" if kind == "adapter" else "transformers",
        license=licence or known or ("other" if entry else None),
        license_name=entry.licence if other and entry else None,
        license_link=entry.page if other and entry else None,
        pipeline_tag="text-generation",
        tags=["llm-finetuning-workshop", *(["lora"] if kind == "adapter" else [])],
        model_name=name if results else None,
        eval_results=results or None,
    )


def _table(rows: Mapping[str, Any]) -> str:
    lines = [f"| {key} | {value} |" for key, value in rows.items()]
    return "\n".join(["| | |", "| --- | --- |", *lines])


def _data(trained: dict[str, Any] | None, line: Any) -> str:
    if trained is None:
        return str(line("unknown"))
    report, inputs = trained["report"], trained["inputs"]
    return _table({
        line("rows"): f"{report['rows']:,}",
        line("general-rows"): f"{report['general_rows']:,}",
        line("tokens"): f"{report['tokens']:,}",
        line("fingerprint"): f"`{inputs['data'][:16]}`",
    })  # fmt: skip


def _recipe(trained: dict[str, Any] | None, line: Any) -> str:
    if trained is None:
        return str(line("unknown"))
    recipe, machine, report = trained["report"]["recipe"], trained["machine"], trained["report"]
    rows = {f"`{name}`": recipe[name] for name in _RECIPE if name in recipe}
    rows["`target_modules`"] = ", ".join(report["target_modules"])
    rows[line("made")] = trained["made"][:10]
    rows[line("time")] = f"{report['seconds']:.1f} s"
    rows[line("machine")] = f"{machine['cpu']}, {machine['accelerator']}"
    rows[line("versions")] = ", ".join(
        f"{name} {trained['versions'][name]}"
        for name in ("torch", "transformers", "peft", "trl")
        if name in trained["versions"]
    )
    return _table(rows)


def _scores(scores: Mapping[str, Any] | None, line: Any) -> str:
    if scores is None:
        return str(line("not-measured"))
    head = ["", *(line(share) for share in _SHARES)]
    rows = [
        [one["label"], *(_percent(one["summary"].get(share)) for share in _SHARES)]
        for one in scores["candidates"]
    ]
    return f"{line('asked', n=len(scores['questions']))}\n\n{_grid(head, rows)}"


def _forgetting(forgetting: Mapping[str, Any] | None, line: Any) -> str:
    if forgetting is None:
        return str(line("not-measured"))
    kinds = [*forgetting["questions"]]
    head = ["", *(line(kind) for kind in kinds)]
    rows = [
        [label, *(_percent(shares[kind]) for kind in kinds)]
        for label, shares in forgetting["shares"].items()
    ]
    return f"{line('probed', n=sum(forgetting['questions'].values()))}\n\n{_grid(head, rows)}"


def _grid(head: list[str], rows: list[list[str]]) -> str:
    ruler = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _licence(entry: CatalogueEntry | None, base: str, licence: str | None, line: Any) -> str:
    if entry is None:
        return str(line("licence-given", base=base, licence=licence) if licence
                   else line("licence-unknown", base=base))  # fmt: skip
    gated = f" {line('licence-gated')}" if entry.gated else ""
    return str(line("licence-known", base=base, licence=entry.licence)) + gated
