"""The files that the lints look at: everything in the repository but what git ignores."""
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def is_ours(folder, name):
    return not (name in (".git", ".cache", "__pycache__")
                or (Path(folder) == ROOT and name.startswith("build")))


def texts():
    """(path below the root, content) of every text file."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(f for f in folders if is_ours(folder, f))
        for name in sorted(files):
            path = Path(folder, name)
            if path.is_symlink():
                continue
            try:
                yield str(path.relative_to(ROOT)), path.read_text()
            except UnicodeDecodeError:
                continue
