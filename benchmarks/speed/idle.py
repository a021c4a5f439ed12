"""What the processes of a run take while there is nothing to do: CPU seconds of driver and workers.

python benchmarks/speed/idle.py [--workers 2] [--seconds 20]
"""

import argparse
import time
from typing import Any

from crackpipe.pipeline.cluster import local


def spent_s(client: Any) -> tuple[float, float]:
    """CPU seconds so far of this process, with scheduler and nannies, and of all workers."""
    return time.process_time(), sum(client.run(time.process_time).values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    with local.local_cpu(arguments.workers, 1) as client:
        time.sleep(2.0)  # until all have started
        driver_s, workers_s = spent_s(client)
        time.sleep(arguments.seconds)
        driver_end_s, workers_end_s = spent_s(client)
    driver_s, workers_s = driver_end_s - driver_s, workers_end_s - workers_s
    percent = 100 * (driver_s + workers_s) / arguments.seconds
    print(f"driver {driver_s:.2f} CPU s, workers {workers_s:.2f} CPU s: {percent:.1f} % of a core")


if __name__ == "__main__":
    main()
