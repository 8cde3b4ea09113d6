"""Programs for Node, with packages from its registry; only in CI must there be Node, npm and the registry."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def install(folder: Path, package: str) -> None:
    """Install a package into the folder, or skip the test where that cannot be done outside CI."""
    command = [shutil.which("npm") or "npm", "install", "--no-audit", "--no-fund", package]
    try:
        subprocess.run(command, cwd=folder, check=True, timeout=300, capture_output=True)
    except (OSError, subprocess.SubprocessError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{package} cannot be had here: {error}")


def run(folder: Path, script: str, given: str) -> str:
    """Run a script with `given` on its standard input; give what it prints."""
    (folder / "script.js").write_text(script)
    command = ["node", "script.js"]
    done = subprocess.run(command, cwd=folder, input=given, text=True, capture_output=True, check=True, timeout=60)
    return done.stdout
