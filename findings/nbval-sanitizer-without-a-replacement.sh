#!/usr/bin/env bash
# One would guess: in nbval's file of sanitizers, a section with a `regex:` and an empty `replace:`
#   takes what matches out of both outputs before they are compared.
# What happens: it does only as long as a blank stands at the end of the line. Without that blank,
#   which editors and pre-commit hooks take away, the section is dropped without a word, and the
#   outputs are compared as they are.
# Who is hurt: whoever wants seconds or addresses gone from the comparison. A file that is only
#   tidied makes notebooks fail that passed, and nothing says that a sanitizer is missing.
# Seen with: nbval==0.11.0, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet nbval==0.11.0 pytest==9.0.2 ipykernel==7.3.0
cat >"$work/make.py" <<'PY'
import nbformat

cell = nbformat.v4.new_code_cell("print('took', 2, 's')", execution_count=1)
cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="took 1 s\n")]
kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), "seconds.ipynb")
PY
cd "$work"
env -u PYTHONPATH venv/bin/python make.py
for line in "replace: " "replace:"; do
  printf '[seconds]\nregex: [0-9]+ s\n%s\n' "$line" >sanitize.cfg
  if env -u PYTHONPATH PATH="$work/venv/bin:$PATH" venv/bin/python -m pytest -q -p no:cacheprovider \
    --nbval --nbval-current-env --nbval-sanitize-with sanitize.cfg seconds.ipynb >log 2>&1; then
    found=equal
  else
    grep -q "mismatch" log
    found=different
  fi
  echo "'$line' -> the outputs are $found"
  [ "$found" = "$([ "$line" = "replace: " ] && echo equal || echo different)" ] ||
    { echo "the behaviour has changed"; exit 1; }
done
