"""What a traced process had done for good before each step: the order of its system calls, read like a power cut."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

# What a lock's file holds means nothing.
LOCK_NAME = "run.lock"
TRACED = "openat,write,pwrite64,fsync,fdatasync,link,linkat,rename,renameat,renameat2,unlink,unlinkat,sendto"
SHOWN_BYTES = 5_000  # More than a page of the ledger.
_CALL = re.compile(r"(?P<pid>\d+) +(?:<\.\.\. )?(?P<name>[a-z]+)(?:\d*|at2?)(?:\(| resumed>)(?P<rest>.*)")
_FD = re.compile(r"\d+<(/[^>]*)>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ATTEMPT = re.compile(r'geminate_attempt\\": \\"([^\\]+)\\"')
_POST = re.compile(r'"POST [^ ]*/batchPredictionJobs ')


@dataclass
class Disk:
    """What is on disk for good, as calls go by: files by their last sync, names by that of their folder.

    Args:
        folder: Where the process works; nothing outside of it counts, and nothing below a hidden name is visible.
        service: What in it stands in for the service, and makes its own promises.
        there: What is there at first.
        ledger: The name of the ledger.
    """

    folder: Path
    service: str
    there: set
    ledger: str = "run.sqlite"
    faults: list = field(default_factory=list)
    posts: int = 0
    _unsynced: dict = field(default_factory=lambda: defaultdict(str))
    _renamed: dict = field(default_factory=lambda: defaultdict(set))
    _kept: str = ""

    def openat(self, paths, rest):
        if "O_CREAT" in rest and paths[-1] not in self.there:
            self._name(paths[-1])
            self.there.add(paths[-1])

    def write(self, paths, rest):
        for path in paths[:1]:
            self._unsynced[path] += rest if path.name == self.ledger else "…"

    pwrite = write

    def fsync(self, paths, _):
        for path in paths[:1]:
            self._kept += self._unsynced.pop(path, "")
            self._renamed.pop(path, None)

    fdatasync = fsync

    def unlink(self, paths, _):
        self._name(paths[-1])
        self.there.discard(paths[-1])
        self._unsynced.pop(paths[-1], None)

    def link(self, paths, _):
        self._show(*paths[-2:])

    def rename(self, paths, _):
        before, after = paths[-2:]
        self._show(before, after)
        self._name(before)
        for found in (self._unsynced, self._renamed):
            for path in [path for path in found if path.is_relative_to(before)]:
                found[after / path.relative_to(before)] = found.pop(path)

    def sendto(self, _, rest):
        if _POST.search(rest):
            self.posts += 1
            lost = [path for path in self._unsynced if path.name == self.ledger]
            lost += [path for names in self._renamed.values() for path in names if path.name.startswith(self.ledger)]
            if lost:
                self.faults.append("a create call before the ledger's last entry is on disk")
        for attempt in _ATTEMPT.findall(rest):
            if not re.search(rf"{attempt}(?:staged|refused|doubtful)intended", self._kept):
                self.faults.append("a create call before its intent is on disk")

    def end(self):
        """Nothing; what was never settled counts as a fault."""
        renamed = (path for names in self._renamed.values() for path in names)
        visible = [path.name for path in renamed if self._is_visible(path) and not path.name.startswith(LOCK_NAME)]
        self.faults += [f"{name} appeared or went, and its folder was not synced" for name in visible]

    def _show(self, before, after):
        self.there |= {after / path.relative_to(before) for path in self.there if path.is_relative_to(before)}
        if self._is_visible(after):
            lost = [path.name for path in self._unsynced if path.is_relative_to(before)]
            lost += [
                path.name for folder, names in self._renamed.items() if folder.is_relative_to(before) for path in names
            ]
            self.faults += [f"{after.name} appears before {name} is on disk" for name in lost]
        self._name(after)

    def _name(self, path):
        self._renamed[path.parent].add(path)

    def _is_visible(self, path):
        if not path.is_relative_to(self.folder):
            return False
        parts = path.relative_to(self.folder).parts
        return parts[0] != self.service and not any(part.startswith(".") for part in parts)


def read_trace(text, disk):
    """The disk after all calls of a trace made by ``strace -f -y``; one that is interrupted counts when it ends."""
    begun = {}
    for found in filter(None, map(_CALL.match, text.split("\n"))):
        pid, name, rest = found["pid"], found["name"], found["rest"]
        if rest.endswith("<unfinished ...>"):
            begun[pid] = rest
            continue
        rest = begun.pop(pid, "") + rest
        effect = getattr(disk, name, None)
        if effect is None or re.search(r"\) += -1 E", rest):
            continue
        said = (
            _FD.findall(rest.split('"')[0])
            if name in {"write", "pwrite", "fsync", "fdatasync"}
            else _QUOTED.findall(rest)
        )
        effect([disk.folder / path for path in said], rest)
    disk.end()
    return disk
