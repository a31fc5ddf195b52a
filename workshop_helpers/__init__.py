"""From ten training rows to a quantized model: the functions behind the course's notebooks and
commands.

Nothing heavy is imported here: ``import workshop_helpers`` loads no torch.
"""

import os
import sys

__version__ = "0.1.0"

# Threads that wait by spinning steal the cores from each other's work as soon as two programs share
# a laptop: a training of three seconds then takes twenty. Read once, when torch loads its OpenMP
# runtime.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# A very short spin first: without any, waking a sleeping core at each of thousands of small steps
# took half the time.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
# torch reads this once, when it is imported; set later it does nothing (and only a Mac has the
# device).
if sys.platform == "darwin":
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
