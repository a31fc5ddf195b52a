"""`python -m workshop_helpers.cli`, as the `workshop` command."""

import sys

from .main import main

sys.exit(main())
