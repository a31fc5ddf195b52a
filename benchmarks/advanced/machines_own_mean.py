"""One process of `benchmarks.advanced.machines`, without its care (own-mean)."""

from benchmarks.advanced.machines import TRAPS
from workshop_helpers.training.launch import main

if __name__ == "__main__":
    TRAPS["own-mean"]()
    main()
