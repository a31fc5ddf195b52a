# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] lang="ja"
# このセルは、そのまま実行してください。ColabやBinderでは教材を取ってきて、足りないパッケージだけを入れます。手元で準備が済んでいれば、何もしません。

# %% [markdown] lang="en"
# Just run this cell. On Colab or Binder it fetches the course and installs what is missing, and nothing else. Where the course is set up already, it does nothing.

# %% tags=["setup"]
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("workshop_helpers") is None:
    above = [folder for folder in Path.cwd().parents if (folder / "workshop_helpers").is_dir()]
    course = above[0] if above else Path("course").resolve()
    if not course.is_dir():
        address = "REPOSITORY"
        subprocess.run(["git", "clone", "--depth=1", address, str(course)], check=True)
    subprocess.run([sys.executable, str(course / "scripts" / "install_here.py")], check=True)
    sys.path.insert(0, str(course))
