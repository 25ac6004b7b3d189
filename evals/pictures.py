"""The screenshots of many runs in one folder: each picture once, and no more of them than fit.

FOLDER/images/<sha256>.png; the runs' own `images` hold further names of the same files, so that each stays complete.
"""

import os
import shutil
from pathlib import Path

from agent.trajectory import IMAGES, REPORT

MEGABYTE = 1_000_000


class Pictures:
    """Of the runs below `folder`. limit_mb: for all screenshots and reports together, those of earlier sittings too."""

    def __init__(self, folder: Path, limit_mb: float) -> None:
        self._images = folder / IMAGES
        self._left = limit_mb * MEGABYTE - _bytes_in(folder)

    def keep(self, run: Path) -> bool:
        """Keep a run's pictures, or drop them and its report when there is no room: its steps remain, and
        whether it went well."""
        images = sorted((run / IMAGES).glob("*.png"))
        known = {image.name for image in images if (self._images / image.name).exists()}
        size = sum(_size(image) for image in images if image.name not in known) + _size(run / REPORT)
        if size > self._left:
            shutil.rmtree(run / IMAGES, ignore_errors=True)
            (run / REPORT).unlink(missing_ok=True)
            return False
        for image in images:
            self._share(image)
        self._left -= size
        return True

    def _share(self, image: Path) -> None:
        """Make the picture here and the one of the same name in the common folder one file."""
        self._images.mkdir(exist_ok=True)
        common = self._images / image.name
        spare = image.with_name(f".{image.name}.part")
        try:
            if common.exists():
                os.link(common, spare)
                spare.replace(image)
            else:
                os.link(image, common)
        except OSError:
            spare.unlink(missing_ok=True)  # a file has one name only on this file system: it takes more room


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _bytes_in(folder: Path) -> int:
    """Of pictures and reports below a folder, a file with several names once."""
    found = {}
    for path in (*folder.rglob("*.png"), *folder.rglob(REPORT)):
        status = path.stat()
        found[status.st_dev, status.st_ino] = status.st_size
    return sum(found.values())
