"""All benchmarks, one after the other, each in a process of its own: python -m benchmarks [NAME…]
[options]

Names: learning, quantization, speed, data_check, scoring (all five without a name); learning_map,
recipe_search, curve, unseen; training, verifying, own_rows and real_models (which need smollm2);
demo (which needs an earlier commit's checkout); runtimes, adapters and families (which need a
running Ollama); stage. Options go to each of them;
`python -m benchmarks.NAME --help` lists them.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.common import ROOT

# Quantization takes the adapter that learning has trained, if it finds one.
NAMES = ("learning", "quantization", "speed", "data_check", "scoring")
OTHERS = (
    "learning_map", "recipe_search", "curve", "unseen", "training", "verifying", "own_rows",
    "real_models", "demo", "runtimes", "adapters", "families", "stage",
)  # fmt: skip


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The names in front, else all; and the options after them."""
    at = next((i for i, text in enumerate(arguments) if text.startswith("-")), len(arguments))
    return arguments[:at] or list(NAMES), arguments[at:]


def main(arguments: list[str]) -> int:
    """Run them; the exit code of the first that fails, after the others have run."""
    names, options = split(arguments)
    unknown = [name for name in names if name not in (*NAMES, *OTHERS)]
    if unknown or {"-h", "--help"} & set(options):
        print(__doc__.strip(), file=sys.stderr if unknown else sys.stdout)
        return 2 if unknown else 0
    codes = [
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], cwd=ROOT).returncode
        for name in names
    ]
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
