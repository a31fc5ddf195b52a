"""`workshop …`: every stage of the course as a command. Exit code 0: done; 1: done, but something
is wrong; 2: a user's mistake or a limit of the machine, told in a sentence.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.errors import WorkshopError
from ..core.jsonio import to_json
from .parts import (
    MISTAKE,
    OK,
    STOPPED,
    WRONG,
    Run,
    add_longest_answer,
    add_verb,
    at_least_one,
    console,
    megabytes,
    read_text,
)

DEFAULT_TYPES = ["Q8_0", "Q4_K_M", "Q2_K"]
MODEL_HELP = "a catalogue name (see `workshop models`), a model folder, an adapter folder, a .gguf file, or ollama:NAME"

EPILOG = """\
the way from rows to a quantized model, one command a step:
  workshop train --model mame --data rows.jsonl --out runs/adapter
  workshop ask runs/adapter "How much is shipping?"
  workshop merge runs/adapter --out runs/model
  workshop gguf runs/model --out runs/model-F16.gguf
  workshop quantize runs/model-F16.gguf --to Q8_0 Q4_K_M Q2_K
  workshop verify mame runs/adapter runs/model-Q2_K.gguf --questions questions.jsonl

all of it on the bundled shop:  workshop demo
your own rows, before training: workshop data check rows.jsonl
will it run here?               workshop doctor
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; `argv` defaults to the command line. Returns the exit code."""
    _readable_output()
    parser = build_parser()
    args = parser.parse_args(argv)
    if not hasattr(args, "run"):
        parser.print_help()
        return MISTAKE
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except WorkshopError as error:
        return _fail(args, str(error), MISTAKE)
    except ModuleNotFoundError as error:
        extra = _extra_with(error.name)
        if extra is None:
            return _unexpected(args, error)
        fix = f"pip install 'llm-finetuning-workshop[{extra}]'"
        return _fail(args, f"The package {error.name} is not installed. Run: {fix}", MISTAKE)
    except KeyboardInterrupt:
        return _fail(
            args,
            "Stopped. What was finished is kept; the same command goes on from there.",
            STOPPED,
        )
    except BrokenPipeError:
        # The reader (`| head`) has left; Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        return _unexpected(args, error)


def _fail(args: argparse.Namespace, message: str, code: int) -> int:
    if args.debug:
        import traceback

        traceback.print_exc()
    print(f"workshop: {message}", file=sys.stderr)
    return code


def _unexpected(args: argparse.Namespace, error: Exception) -> int:
    first = str(error).strip().splitlines()[0] if str(error).strip() else ""
    hint = "" if args.debug else " Run the command again with --debug to see where."
    return _fail(
        args, f"Something unexpected happened ({type(error).__name__}: {first}).{hint}", WRONG
    )


def _extra_with(module: str | None) -> str | None:
    extras = {
        "train": ("torch", "transformers", "peft", "trl", "datasets", "accelerate", "safetensors", "matplotlib",
                  "matplotlib_fontja"),
        "gguf": ("cyllama", "xllamacpp", "gguf", "numpy", "sentencepiece"),
        "data": ("charset_normalizer", "datasketch", "ftfy", "markdown_it", "openpyxl", "orjson", "phonenumbers",
                 "pyarrow"),
        "ollama": ("ollama", "httpx"),
        "notebooks": ("IPython", "ipywidgets"),
        "qlora": ("bitsandbytes",),
    }  # fmt: skip
    top = (module or "").partition(".")[0]
    return next((extra for extra, names in extras.items() if top in names), None)


def _readable_output() -> None:
    """Japanese must not break a Windows console's code page, nor a file the output is sent to."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            with contextlib.suppress(OSError, ValueError):
                if stream.isatty():
                    reconfigure(errors="replace")
                else:
                    reconfigure(encoding="utf-8")


# --- printing -------------------------------------------------------------------------------------


def _show(args: argparse.Namespace, result: Any, *lines: str) -> None:
    """Print `result` as JSON where --json asks for it, else `lines`."""
    print(to_json(result) if args.json else "\n".join(lines))


def _again(reused: bool) -> str:
    return " (found made before; nothing was done again)" if reused else ""


# --- the commands ---------------------------------------------------------------------------------


def _demo(args: argparse.Namespace) -> int:
    from .demo import run_demo

    quiet = contextlib.redirect_stdout(sys.stderr) if args.json else contextlib.nullcontext()
    with quiet:
        report = run_demo(
            args.out,
            model=args.model,
            languages=("en", "ja") if args.language == "both" else (args.language,),
            types=tuple(args.to),
            device=args.device,
            overwrite=args.overwrite,
            ollama=not args.no_ollama,
            console=console(),
        )
    if args.json:
        print(to_json(report))
    return OK


def _doctor(args: argparse.Namespace) -> int:
    from .doctor import examine, table

    checks = examine()
    if args.json:
        print(to_json(checks))
    else:
        console().print(table(checks))
        print("\n".join(f"{check.name}: {check.fix}" for check in checks if check.fix))
    return WRONG if any(check.status == "fail" for check in checks) else OK


def _models(args: argparse.Namespace) -> int:
    from ..models.catalogue import CATALOGUE

    entries = list(CATALOGUE.values())
    if args.json:
        print(to_json([entry.to_dict() for entry in entries]))
        return OK
    from rich.table import Table

    table = Table(title="Models that the course knows")
    for column in ("name", "hub id", "parameters", "languages", "LoRA GB", "QLoRA GB", "licence"):
        table.add_column(
            column, justify="right" if column in ("parameters", "LoRA GB", "QLoRA GB") else "left"
        )
    for entry in entries:
        table.add_row(
            entry.name,
            entry.hub_id or "bundled",
            f"{entry.parameters / 1e6:,.1f} M",
            ", ".join(entry.languages),
            f"{entry.lora_memory_gb:g}",
            "-" if entry.qlora_memory_gb is None else f"{entry.qlora_memory_gb:g}",
            entry.licence + (" (gated: accept it on the model's page)" if entry.gated else ""),
        )
    console().print(table)
    unmeasured = [entry.name for entry in entries if not entry.measured]
    if unmeasured:
        print(f"Memory is estimated, not measured, for: {', '.join(unmeasured)}.")
    return OK


def _train(args: argparse.Namespace) -> int:
    from ..training.recipe import LoraRecipe
    from ..training.train import train

    given = {
        "epochs": args.epochs, "rank": args.rank, "learning_rate": args.lr, "batch_size": args.batch_size,
        "seed": args.seed, "general_rows": args.general_rows, "max_length": args.max_length,
    }  # fmt: skip
    recipe = LoraRecipe.for_model(args.model).replace(
        **{k: v for k, v in given.items() if v is not None}
    )
    report = train(
        args.model,
        args.data,
        args.out,
        recipe,
        rows=args.rows,
        general=args.general,
        device=args.device,
        overwrite=args.overwrite,
    )
    lines = [
        f"adapter    {report.adapter}{_again(report.reused)}",
        f"trained    {report.trainable:,} of {report.total:,} parameters "
        f"({report.trainable / report.total:.2%}) on {report.device}",
        f"loss       {report.losses[0][2]:.3f} → {report.losses[-1][2]:.3f}"
        if report.losses
        else "",
        f"time       {report.seconds:.1f} s for {report.tokens:,} tokens, "
        f"peak memory {megabytes(report.peak_memory_bytes)}",
    ]
    if report.resumed_from is not None:
        lines.append(f"went on    from step {report.resumed_from} of an interrupted run")
    if report.truncated:
        lines.append(
            f"truncated  {_rows(report.truncated)}: longer than {report.recipe.max_length} tokens"
        )
    if report.dropped:
        lines.append(f"dropped    {_rows(report.dropped)}: nothing of the answer fits")
    _show(args, report.to_dict(), *filter(None, lines))
    return OK


def _rows(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10])) + (", …" if len(numbers) > 10 else "")
    return f"{len(numbers)} row{'s' if len(numbers) > 1 else ''} ({shown})"


def _ask(args: argparse.Namespace) -> int:
    from ..runtimes import ask

    if not args.question.strip():
        raise WorkshopError(
            'The question is empty. Write it in quotes: workshop ask mame "How much is shipping?"'
        )
    system = args.system
    if args.system_file is not None:
        system = read_text(args.system_file)
    answer = ask(
        args.model,
        args.question,
        system=system,
        device=args.device,
        max_new_tokens=args.max_new_tokens,
    )
    _show(
        args,
        {
            "model": args.model, "question": args.question, "system": system, "answer": answer.text,
            "tokens": answer.tokens, "seconds": answer.seconds, "stopped": answer.stopped,
        },
        answer.text,
    )  # fmt: skip
    if not answer.stopped and not args.json:
        print(
            f"(cut off after {answer.tokens} tokens; --max-new-tokens allows more)", file=sys.stderr
        )
    return OK


def _verify(args: argparse.Namespace) -> int:
    from ..dataset.questions import read_questions
    from ..evaluation.comparison import Candidate, compare

    questions = read_questions(args.questions)[: args.limit]
    if args.out is not None:
        _check_writable(args.out, not_over=args.questions)
    candidates = [Candidate(model, model) for model in dict.fromkeys(args.models)]
    comparison = compare(
        candidates,
        questions,
        device=args.device,
        max_new_tokens=args.max_new_tokens,
        progress=not args.json,
    )
    if args.out is not None:
        comparison.answers_jsonl(args.out)
    if args.json:
        print(to_json(comparison.to_dict()))
    else:
        console().print(comparison.table())
        if args.out is not None:
            print(f"Every answer: {args.out}")
    return OK


def _check_writable(path: Path, *, not_over: Path) -> None:
    """Say before minutes of work that its result could not be written."""
    if path.is_dir():
        raise WorkshopError(
            f"{path} is a folder. Give --out a file name, such as {path / 'answers.jsonl'}."
        )
    if path.exists() and path.samefile(not_over):
        raise WorkshopError(f"--out would overwrite the questions in {path}. Give it another name.")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise WorkshopError(f"Cannot write to {folder}. Choose a folder you can write to.")


def _merge(args: argparse.Namespace) -> int:
    from ..training.merge import merge

    report = merge(args.adapter, args.out, device=args.device, overwrite=args.overwrite)
    _show(
        args,
        report,
        f"model      {report.model}{_again(report.reused)}",
        f"size       {megabytes(report.size_bytes)} in {report.dtype}",
        f"check      logits differ by at most {report.difference_to_adapter:.2g} from base + adapter, "
        f"by {report.difference_to_base:.2g} from the base alone",
        f"time       {report.seconds:.1f} s",
    )
    return OK


def _gguf_lines(report: Any) -> list[str]:
    lines = [
        f"file       {report.path}{_again(report.reused)}",
        f"size       {megabytes(report.size_bytes)}, {report.bits_per_weight:.2f} bits per weight ({report.type})",
        f"check      answers {report.check.answer!r}",
    ]
    if report.fallback:
        name, wanted, got = report.fallback[0]
        lines.append(
            f"fell back  {len(report.fallback)} tensors could not take their type: their rows do not divide by 256 "
            f"(for example {name}: {wanted} → {got})"
        )
    lines += [f"problem    {problem}" for problem in report.check.problems]
    return lines


def _gguf(args: argparse.Namespace) -> int:
    from ..gguf.convert import convert

    if args.as_adapter:
        return _gguf_adapter(args)
    report = convert(
        args.model, args.out, type=args.type, converter=args.converter, overwrite=args.overwrite
    )
    _show(args, report.to_dict(), *_gguf_lines(report))
    return WRONG if report.check.problems else OK


def _gguf_adapter(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from ..gguf.adapter import convert_adapter

    report = convert_adapter(
        args.model, args.out, type=args.type, converter=args.converter, overwrite=args.overwrite
    )
    _show(
        args,
        asdict(report),
        f"file       {report.path}{_again(report.reused)}",
        f"size       {megabytes(report.size_bytes)}, {report.tensors} adapted matrices ({report.type})",
        f"base       {report.base}: answers only on a GGUF of this model",
    )
    return OK


def _quantize(args: argparse.Namespace) -> int:
    from ..gguf.quantize import default_name, quantize
    from .demo import check_types

    check_types(args.to)
    reports = []
    for kind in args.to:
        name = default_name(args.file, kind.upper())
        out = name if args.out_dir is None else args.out_dir / name.name
        report = quantize(args.file, kind, out, overwrite=args.overwrite)
        reports.append(report)
        if not args.json:
            print("\n".join(_gguf_lines(report)))
    if args.json:
        print(to_json([report.to_dict() for report in reports]))
    return WRONG if any(report.check.problems for report in reports) else OK


# --- the arguments --------------------------------------------------------------------------------


def _above_zero(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


# argparse names the type in its message.
_above_zero.__name__ = "number"


def build_parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show the traceback of an error",
    )
    parser = argparse.ArgumentParser(
        prog="workshop",
        description="From ten training rows to a quantized model that answers, measured at every step.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"workshop {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND")

    def verb(
        name: str, run: Run, summary: str, more: str = "", *, device: bool = False
    ) -> argparse.ArgumentParser:
        added = add_verb(verbs, common, name, run, summary, more)
        if device:
            added.add_argument(
                "--device",
                choices=("auto", "cpu", "mps", "cuda"),
                help="where to compute (default: the best there is)",
            )
        return added

    def overwrite(added: argparse.ArgumentParser) -> None:
        added.add_argument(
            "--overwrite",
            action="store_true",
            help="do the work again even if its result is there already",
        )

    add = verb(
        "demo", _demo, "the main job: train, compare, merge, convert, quantize, report",
        "Trains the bundled model on the first 10 and the first 100 rows of the bundled shop, puts the same held-out "
        "questions to every model, and writes OUT/report.html and OUT/report.json. Needs no network.", device=True,
    )  # fmt: skip
    add.add_argument(
        "--language",
        choices=("en", "ja", "both"),
        default="both",
        help="the shop's language (default: %(default)s, one after the other)",
    )
    add.add_argument(
        "--model", default="mame", help=f"the base model: {MODEL_HELP} (default: %(default)s)"
    )
    add.add_argument(
        "--to",
        nargs="+",
        metavar="TYPE",
        default=DEFAULT_TYPES,
        help="quantization types (default: Q8_0 Q4_K_M Q2_K)",
    )
    add.add_argument(
        "--out",
        type=Path,
        default=Path("runs/demo"),
        metavar="DIR",
        help="where to write (default: %(default)s)",
    )
    add.add_argument(
        "--no-ollama",
        action="store_true",
        help="leave Ollama alone (else a server that answers gets the model workshop-demo-LANGUAGE)",
    )
    overwrite(add)

    verb("doctor", _doctor, "what will go wrong on this machine, and the fix",
         "Exit code 1 when something the course needs is missing.")  # fmt: skip

    verb("models", _models, "the models that the course knows: size, memory, licence")

    add = verb(
        "train", _train, "train a LoRA adapter on rows of questions and answers",
        "Rows are JSON lines with instruction/input/output, messages, or prompt/completion. An interrupted run goes on "
        "where it stopped when the same command is given again.", device=True,
    )  # fmt: skip
    add.add_argument("--model", required=True, help=MODEL_HELP)
    add.add_argument(
        "--data", required=True, type=Path, metavar="FILE", help="the training rows (.jsonl)"
    )
    add.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="folder for the adapter"
    )
    add.add_argument("--rows", type=at_least_one, metavar="N", help="use only the first N rows")
    add.add_argument("--epochs", type=_above_zero, metavar="N", help="times to go through the rows")
    add.add_argument(
        "--rank", type=at_least_one, metavar="N", help="width of the adapter: more can learn more"
    )
    add.add_argument("--lr", type=_above_zero, metavar="X", help="learning rate, such as 2e-4")
    add.add_argument("--batch-size", type=at_least_one, metavar="N", help="rows a step")
    add.add_argument(
        "--max-length",
        type=at_least_one,
        metavar="N",
        help="most tokens of a row, question and answer; a longer answer is cut",
    )
    add.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same adapter")
    add.add_argument(
        "--general", type=Path, metavar="FILE", help="general rows to mix in against forgetting"
    )
    add.add_argument(
        "--general-rows",
        type=_above_zero,
        metavar="X",
        help="how many of them, as a share of the training rows: 0.5 is one to two",
    )
    overwrite(add)

    add = verb("ask", _ask, "ask a model one question", device=True)
    add.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    add.add_argument("question", metavar="QUESTION", help="the question, in quotes")
    system = add.add_mutually_exclusive_group()
    system.add_argument(
        "--system", metavar="TEXT", help="system prompt: instructions or facts for the model"
    )
    system.add_argument(
        "--system-file", type=Path, metavar="FILE", help="the same from a text file"
    )
    add_longest_answer(add)

    add = verb(
        "verify", _verify, "put the same questions to several models and score the answers",
        "A questions file has one JSON object a line: question, and optionally system, facts (strings that a right "
        "answer must contain) and language.", device=True,
    )  # fmt: skip
    add.add_argument("models", nargs="+", metavar="MODEL", help=MODEL_HELP)
    add.add_argument(
        "--questions", required=True, type=Path, metavar="FILE", help="the questions (.jsonl)"
    )
    add.add_argument(
        "--limit", type=at_least_one, metavar="N", help="ask only the first N questions"
    )
    add.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write every answer here (.jsonl): model, question, answer, found, missing, seconds",
    )
    add_longest_answer(add)

    add = verb(
        "merge", _merge, "fold an adapter into its base model",
        "Checks that the result answers like base + adapter, and unlike the base.", device=True,
    )  # fmt: skip
    add.add_argument(
        "adapter", metavar="ADAPTER", help="the adapter folder that `workshop train` wrote"
    )
    add.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="folder for the merged model"
    )
    overwrite(add)

    add = verb(
        "gguf", _gguf, "convert a model to llama.cpp's file format",
        "Uses llama.cpp's own converter, then opens the file and checks it. Exit code 1: the check found a problem.",
    )  # fmt: skip
    add.add_argument(
        "model",
        metavar="MODEL",
        help="a catalogue name or a model folder (merge an adapter first, or see --as-adapter)",
    )
    add.add_argument(
        "--out", required=True, type=Path, metavar="FILE.gguf", help="the file to write"
    )
    add.add_argument(
        "--type",
        default="f16",
        help="number format: f16, bf16 or f32; for an adapter also q8_0 (default: %(default)s)",
    )
    add.add_argument(
        "--as-adapter",
        action="store_true",
        help="MODEL is an adapter folder; write the adapter alone, to be put on a GGUF of its base",
    )
    add.add_argument(
        "--converter",
        type=Path,
        metavar="DIR",
        help="another llama.cpp checkout than the installed one",
    )
    overwrite(add)

    add = verb(
        "quantize", _quantize, "make a GGUF file smaller",
        "Writes model-Q8_0.gguf and so on beside model-F16.gguf. Exit code 1: the check of a file found a problem.",
    )  # fmt: skip
    add.add_argument("file", type=Path, metavar="FILE.gguf", help="an F16, BF16 or F32 file")
    add.add_argument(
        "--to",
        nargs="+",
        metavar="TYPE",
        default=DEFAULT_TYPES,
        help="types, such as Q8_0 Q6_K Q5_K_M Q4_K_M Q3_K_M Q2_K (default: Q8_0 Q4_K_M Q2_K)",
    )
    add.add_argument(
        "--out-dir",
        type=Path,
        metavar="DIR",
        help="folder for the files (default: beside FILE.gguf)",
    )
    overwrite(add)

    from .data import add_data_verbs
    from .modelfile import add_modelfile_verb
    from .ollama import add_ollama_verbs

    add_data_verbs(verbs, common)
    add_modelfile_verb(verbs, common)
    add_ollama_verbs(verbs, common)
    return parser
