"""Several adapters of one base made into one, by PEFT's `add_weighted_adapter`.

An adapter adds s · B·A to a weight. Of two of them,

    cat      stacks the matrices: [w₁s₁A₁; w₂s₂A₂] and [B₁ B₂], which is exactly the weighted sum of
             the changes, at the sum of the ranks
    svd      is the best copy of that sum at the larger rank
    linear   adds the As and the Bs each for itself: (B₁ + B₂)·(A₁ + A₂) also holds B₁·A₂ and B₂·A₁,
             which nobody has trained
    ties     (Yadav et al. 2023, arXiv:2306.01708), dare_linear and dare_ties (Yu et al. 2023,
             arXiv:2311.03099) and magnitude_prune drop values first, and do it as `linear` does, to
             the As and the Bs; with `_svd` behind their names, to the changes
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.artifacts import atomic_directory, claim
from ..core.errors import WorkshopError, explain_os_errors, first_line
from ..core.ownership import keep_apart, refuse_other
from ..models.files import stored_tensors
from ..models.identity import identity
from ..models.load import load_model, pick_device, quiet_libraries
from ..models.resolve import ModelRef, check_utf8, folders_of, resolve
from .report import store_report, stored_report
from .train import tidy_adapter

WAYS = (
    "cat", "svd", "linear", "ties", "ties_svd", "dare_linear", "dare_linear_svd", "dare_ties",
    "dare_ties_svd", "magnitude_prune", "magnitude_prune_svd",
)  # fmt: skip
_WHOLE = ("cat", "svd", "linear")  # these drop nothing


@dataclass
class CombinedAdapter:
    """An adapter made of others: `how`, with these `weights`; its `rank` and size in bytes."""

    adapter: Path
    how: str
    weights: tuple[float, ...]
    rank: int
    size_bytes: int
    seconds: float
    reused: bool = False

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON takes them."""
        return {**vars(self), "adapter": str(self.adapter), "weights": list(self.weights)}


def combine_adapters(
    adapters: Sequence[str | Path],
    out: str | Path,
    how: str = "cat",
    *,
    weights: Sequence[float] | None = None,
    density: float = 0.5,
    seed: int = 0,
    overwrite: bool = False,
) -> CombinedAdapter:
    """Make one adapter of several of the same base, and write it to the folder `out`.

    `how` is one of `WAYS`; `weights`: one each, default 1. `density`: the share of values that the
    ways that drop some keep; `seed`: of those that drop by chance. An equal earlier result is
    returned unchanged, unless `overwrite`.

    Raises WorkshopError for fewer than two adapters, other bases, an unknown way, and what PEFT
    cannot combine, such as other ranks for `linear`.
    """
    refs = [resolve(adapter) for adapter in adapters]
    given = tuple(map(float, weights if weights is not None else [1.0] * len(refs)))
    base = _common_base(refs)
    if how not in WAYS:
        raise WorkshopError(f"There is no way {how!r} to combine adapters: {', '.join(WAYS)}.")
    if len(given) != len(refs):
        raise WorkshopError(f"{len(refs)} adapters need as many weights; {len(given)} were given.")
    if not 0 < density <= 1:
        raise WorkshopError(f"density is {density}; it must be above 0 and at most 1.")
    out = Path(out).expanduser()
    check_utf8(out)
    keep_apart(out, [folder for ref in refs for folder in folders_of(ref)])
    inputs = {
        "stage": "combine",
        "adapters": [identity(ref) for ref in refs],
        "how": how,
        "weights": list(given),
        **({} if how in _WHOLE else {"density": density, "seed": seed}),
    }
    with claim(out):
        refuse_other(out, "adapter", inputs, overwrite=overwrite)
        found = None if overwrite else stored_report(out, "adapter", inputs, _restore)
        if found is not None:
            return found
        options = {} if how in _WHOLE else {"density": density}
        with explain_os_errors("combine", out):
            return _combine(refs, base, out, how, given, options, seed, inputs)


def _restore(values: dict[str, Any]) -> CombinedAdapter:
    stored_tensors(values["adapter"] / "adapter_model.safetensors")
    return CombinedAdapter(**{**values, "weights": tuple(values["weights"])})


def _common_base(refs: Sequence[ModelRef]) -> ModelRef:
    bases = []
    for ref in refs:
        if ref.base is None:
            raise WorkshopError(
                f"{ref.name} is {ref.described}, not an adapter. Give folders that `train` wrote."
            )
        bases.append(ref.base)
    if len(refs) < 2:
        raise WorkshopError("Combining takes at least two adapters.")
    if any(identity(base) != identity(bases[0]) for base in bases):
        names = ", ".join(base.name for base in bases)
        raise WorkshopError(f"The adapters lie on different base models ({names}).")
    return bases[0]


def _combine(
    refs: Sequence[ModelRef],
    base: ModelRef,
    out: Path,
    how: str,
    weights: tuple[float, ...],
    options: dict[str, Any],
    seed: int,
    inputs: dict[str, Any],
) -> CombinedAdapter:
    import torch

    started = time.perf_counter()
    loaded = load_model(base, pick_device("cpu", base), dtype="fp32")
    names = [f"adapter{n}" for n in range(len(refs))]
    with quiet_libraries(), torch.random.fork_rng(devices=[]):
        from peft import PeftModel

        torch.manual_seed(seed)
        model = PeftModel.from_pretrained(loaded, str(refs[0].path), adapter_name=names[0])
        for name, ref in zip(names[1:], refs[1:], strict=True):
            model.load_adapter(str(ref.path), adapter_name=name)
        try:
            model.add_weighted_adapter(
                names, list(weights), "default", combination_type=how, **options
            )
        except (ValueError, RuntimeError) as error:
            raise WorkshopError(
                f"PEFT cannot combine these adapters by {how}: {first_line(error)}"
            ) from error
    # The new matrices hold the strengths already; PEFT 0.21 keeps this of the first adapter, so the
    # change would be √rank times too strong.
    model.peft_config["default"].use_rslora = False
    with atomic_directory(out, needs_bytes=2**24) as folder:
        with quiet_libraries():
            model.save_pretrained(
                str(folder), selected_adapters=["default"], save_embedding_layers=False
            )
        tidy_adapter(folder, base)
        report = CombinedAdapter(
            adapter=out,
            how=how,
            weights=weights,
            rank=model.peft_config["default"].r,
            size_bytes=(folder / "adapter_model.safetensors").stat().st_size,
            seconds=round(time.perf_counter() - started, 3),
        )
        store_report(folder, "adapter", base, inputs, report, out, refs[0].path)
    return report
