"""A disk that is full, in two ways: as a process without rights can have it, and a real one, which takes root."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


class Limited:
    """No file may grow over a size: writing then fails as it does on a full disk, but for the words."""

    error = "File too large"

    @contextlib.contextmanager
    def under(self, folder: Path) -> Iterator[None]:
        yield

    @contextlib.contextmanager
    def full(self, room: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Mounted:
    """A file system of its own, in memory. What is written beside it finds room."""

    error = "No space left on device"

    @contextlib.contextmanager
    def under(self, folder: Path) -> Iterator[None]:
        """While entered, `folder`, made if need be, lies on it; what was in there is covered, and comes back."""
        folder.mkdir(parents=True, exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
        done = subprocess.run(mount, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"only root may mount a disk: {done.stderr.strip()}")
        self.folder = folder
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)

    @contextlib.contextmanager
    def full(self, room: int) -> Iterator[None]:
        """While entered there is room for so many bytes, less what does not fill a page."""
        filler = self.folder / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1 << 16)):
                pass
        os.truncate(filler, filler.stat().st_size - room // os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PAGE_SIZE"))
        try:
            yield
        finally:
            filler.unlink()


DISKS = pytest.mark.parametrize("disk", [Limited(), Mounted()], ids=["limit", "mounted"])
