"""`workshop …`: every stage of the course as a command. Exit code 0: done; 1: done, but something
is wrong; 2: a user's mistake or a limit of the machine, told in a sentence.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, cast

from .. import __version__
from ..core.errors import Note, WorkshopError
from ..core.outside import ShownStream, below
from .output import MISTAKE, OK, STOPPED, WRONG
from .stopping import MESSAGE, ctrl_c_ends, leave

EPILOG = """\
the way from rows to a quantized model, one command a step:
  workshop train --model mame --data rows.jsonl --out runs/adapter
  workshop ask runs/adapter "How much is shipping?"
  workshop merge runs/adapter --out runs/model
  workshop gguf runs/model --out runs/model-F16.gguf
  workshop quantize runs/model-F16.gguf --to Q8_0 Q4_K_M Q2_K
  workshop verify mame runs/adapter runs/model-Q2_K.gguf --questions questions.jsonl
  workshop chat runs/model-Q4_K_M.gguf

all of it on the bundled shop:  workshop demo
your own rows, before training: workshop data check rows.jsonl
will it run here?               workshop doctor
"""

# The modules that each extra brings, for the advice where one is missing.
EXTRAS = {
    "train": "torch transformers peft trl datasets accelerate safetensors matplotlib "
    "matplotlib_fontja",
    "gguf": "cyllama xllamacpp gguf numpy sentencepiece",
    "data": "bs4 charset_normalizer ftfy lxml markdown_it markdownify openai openpyxl "
    "orjson phonenumbers pyarrow",
    "ollama": "ollama httpx",
    "notebooks": "IPython ipywidgets nbclient nbformat prompt_toolkit",
    "qlora": "bitsandbytes",
    "advanced": "google janome lm_eval rank_bm25 rouge_score sacrebleu wordllama",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; `argv` defaults to the command line. Returns the exit code."""
    with readable_output():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    args = argparse.Namespace(debug=False)
    try:
        ours = argv is None  # else a part of another program's process
        with ctrl_c_ends() if ours else contextlib.nullcontext(), warnings.catch_warnings():
            args = build_parser().parse_args(argv)
            _show_notes()
            code: int = args.run(args)
        sys.stdout.flush()
        return code
    except WorkshopError as error:
        return _fail(args, str(error), MISTAKE)
    except ModuleNotFoundError as error:
        top = (error.name or "").partition(".")[0]
        extra = next((extra for extra, names in EXTRAS.items() if top in names.split()), None)
        if extra is None:
            return _unexpected(args, error)
        fix = f"`pip install 'llm-finetuning-workshop[{extra}]'`"
        return _fail(args, f"{error.name} is not installed: {fix}.", MISTAKE)
    except KeyboardInterrupt:
        _fail(args, MESSAGE, STOPPED)
        leave()
        return STOPPED
    except BrokenPipeError:
        # The reader (`| head`) has left; Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        return _unexpected(args, error)


def build_parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    # Late: a Ctrl-C while they are imported is to end in one line, too.
    from .arguments import DEBUG_HELP, Parser, flag, run_prints_help
    from .chat import add_chat_verb
    from .cloud import add_cloud_verbs
    from .convert import add_convert_verbs
    from .curve import add_curve_verb
    from .data import add_data_verbs
    from .demo import add_demo_verb
    from .demos import add_demos_verbs
    from .doctor import add_doctor_verb
    from .estimate import add_estimate_verb
    from .evaluate import add_evaluate_verbs
    from .evaluating import add_evaluating_verb
    from .modelfile import add_modelfile_verb
    from .models import add_models_verb
    from .ollama import add_ollama_verbs
    from .own import add_own_verb
    from .publish import add_publish_verbs
    from .stage import add_stage_verbs
    from .train import add_train_verbs

    parser = Parser(
        prog="workshop",
        description="From ten training rows to a quantized model that answers, measured at every "
        "step.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"workshop {__version__}")
    flag(parser, "--debug", DEBUG_HELP)
    run_prints_help(parser)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in (
        add_demo_verb, add_own_verb, add_demos_verbs, add_doctor_verb, add_models_verb,
        add_train_verbs, add_curve_verb, add_estimate_verb, add_evaluating_verb,
        add_evaluate_verbs, add_chat_verb, add_convert_verbs, add_data_verbs, add_modelfile_verb,
        add_ollama_verbs, add_cloud_verbs, add_publish_verbs, add_stage_verbs,
    ):  # fmt: skip
        add(verbs)
    return parser


@contextlib.contextmanager
def readable_output() -> Iterator[None]:
    """In this block Japanese does not break a Windows console's code page, nor a file the output
    is sent to, and no text from outside controls the terminal or shows a key.
    """
    streams = below(sys.stdout), below(sys.stderr)
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            with contextlib.suppress(OSError, ValueError):
                # A file name that is not UTF-8 must not either.
                to_a_file = {"encoding": "utf-8", "errors": "backslashreplace"}
                reconfigure(**{"errors": "replace"} if stream.isatty() else to_a_file)
    out, errors = map(ShownStream, streams)
    with contextlib.redirect_stdout(cast(Any, out)), contextlib.redirect_stderr(cast(Any, errors)):
        yield


def _show_notes() -> None:
    """Ours in a line, without the place in the code; the libraries' as they are."""
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, Note):
            print(f"workshop: note: {message}", file=sys.stderr)
        else:
            usual(message, category, *place, **more)

    warnings.showwarning = show
    warnings.simplefilter("always", Note)


def _unexpected(args: argparse.Namespace, error: Exception) -> int:
    first = str(error).strip().partition("\n")[0]
    hint = "" if args.debug else " Run the command again with --debug to see where."
    what = f"Something unexpected happened ({type(error).__name__}: {first}).{hint}"
    return _fail(args, what, WRONG)


def _fail(args: argparse.Namespace, message: str, code: int) -> int:
    if args.debug:
        import traceback

        traceback.print_exc()
    print(f"workshop: {message}", file=sys.stderr)
    return code
