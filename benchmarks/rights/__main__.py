"""python -m benchmarks.rights [--tries 10000] [--seed N]

Changes rights at random, asks at every door as everybody, and looks for words in the wrong reply and for differences
between a world with hidden documents and one without. A seed that found something finds it again.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from benchmarks.rights.run import fuzz


def main() -> None:
    arguments = argparse.ArgumentParser(prog="make torture ARGS=rights", description=__doc__)
    arguments.add_argument("--tries", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = arguments.parse_args()
    models = Path(__file__).parents[2] / ".data" / "models"
    outcome = fuzz(models, given.tries, given.seed, lambda told: print(told, file=sys.stderr, flush=True))
    for fault in outcome.faults:
        print(fault)
    rarest = min(outcome.doors.values())
    print(
        f"{outcome.tries} tries at {len(outcome.doors)} doors (each {rarest} times or more), {outcome.changes} "
        f"changes, from seed {given.seed}: {len(outcome.faults)} faults"
    )
    sys.exit(1 if outcome.faults else 0)


if __name__ == "__main__":
    main()
