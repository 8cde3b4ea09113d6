"""`enroll bench`, as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def bench(folder: Path, *options: str) -> Any:
    """Measure in a folder of its own; give the JSON."""
    command = [sys.executable, "-m", "worker", "bench", "--json", *options]
    environment = {**os.environ, "ENROLL_DATA_DIR": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
