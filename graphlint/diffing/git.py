"""Git, called as a program: arguments are never read by a shell, nor as options.

Nothing that a repository configures is run: no external diff, no text conversion, no monitor of
the file system. Paths are read as they are (`-z`), and given as they are (`--literal-pathspecs`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from graphlint.errors import ModelError, UsageError

_QUIET = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
_SETTINGS = ("-c", "core.quotePath=off", "-c", "core.fsmonitor=false", "-c", "color.ui=never")
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:(\w{64})\n"
)
_LARGEST_POINTER = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """A file on both sides of a diff; its modes and hashes are zeros where it is not there.

    `new_blob` is zeros too where the file differs in the working tree.
    """

    path: str
    old_mode: str
    new_mode: str
    old_blob: str
    new_blob: str
    status: str


class Repository:
    """The repository that a folder lies in."""

    def __init__(self, folder: Path) -> None:
        """Find it.

        Raises:
            UsageError: there is no git, or the folder lies in no repository.
        """
        self._folder = folder
        done = self._run("rev-parse", "--show-toplevel")
        top = os.fsdecode(done.stdout).removesuffix("\n")
        if done.returncode or not top:
            reason = _reason(done)
            raise UsageError(
                f"{folder}: not in a git repository",
                cause=reason if "not a git repository" not in reason else "",
                hint="run it in a checkout, or compare two files: graphlint diff OLD NEW",
            )
        self.top = Path(top)
        self._folder = self.top

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", "--literal-pathspecs", "--no-pager", *_SETTINGS, *arguments],
                cwd=self._folder,
                env={**os.environ, **_QUIET},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError:
            raise UsageError(
                "git can't be run",
                cause="there is no program of that name on the path",
                hint="install git, or compare two files: graphlint diff OLD NEW",
            ) from None

    def _ask(self, *arguments: str) -> bytes:
        done = self._run(*arguments)
        if done.returncode:
            raise ModelError(f"git {arguments[0]} failed", cause=_reason(done))
        return done.stdout

    def commit(self, revision: str) -> str:
        """The hash of the commit that a revision names.

        Raises:
            UsageError: there is none.
        """
        done = self._run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        )
        if done.returncode or not revision:
            raise self._no_revision(revision)
        return done.stdout.decode().strip()

    def merge_base(self, one: str, other: str) -> str:
        """The hash of the last commit that both have in common.

        Raises:
            UsageError: they have none.
        """
        done = self._run("merge-base", "--end-of-options", self.commit(one), self.commit(other))
        if done.returncode:
            raise UsageError(
                f"{one}...{other}: no commit is in both",
                cause="the clone is shallow" if self.is_shallow() else "their histories are apart",
                hint="fetch the history: git fetch --unshallow"
                if self.is_shallow()
                else "name the base itself: BASE..HEAD",
            )
        return done.stdout.decode().strip()

    def _no_revision(self, revision: str) -> UsageError:
        if self.is_shallow():
            cause = "the clone is shallow: it holds the last commits only"
            hint = "fetch it: git fetch --unshallow (actions/checkout: fetch-depth: 0)"
        else:
            cause = "git knows no commit, branch or tag of that name"
            hint = "fetch it, or see git branch --all"
        return UsageError(f"{revision}: no such revision", cause=cause, hint=hint)

    def is_shallow(self) -> bool:
        """Whether the clone lacks older commits."""
        return self._run("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"

    def changed(self, base: str, head: str | None, paths: list[str]) -> list[Entry]:
        """The files that differ between two commits, or one and the working tree."""
        commits = [base] if head is None else [base, head]
        options = ("--raw", "-z", "--no-renames", "--no-abbrev", "--no-ext-diff", "--no-textconv")
        fields = self._ask("diff", *options, *commits, "--", *paths).split(b"\0")
        entries = []
        for about, path in zip(fields[::2], fields[1::2], strict=False):
            old_mode, new_mode, old, new, status = about.decode().removeprefix(":").split()
            entries.append(Entry(os.fsdecode(path), old_mode, new_mode, old, new, status))
        return entries

    def untracked(self, paths: list[str]) -> list[str]:
        """Files of the working tree that git neither tracks nor ignores."""
        options = ("--others", "--exclude-standard", "-z", "--full-name")
        return _split(self._ask("ls-files", *options, "--", *paths))

    def holds(self, commit: str, path: str) -> bool:
        """Whether anything at `path`, or below it, is in a commit."""
        return bool(self._ask("ls-tree", "-z", "--name-only", commit, "--", path))

    def blob(self, commit: str, path: str) -> str | None:
        """The hash of the file at `path` in a commit; None where there is none."""
        for line in self._ask("ls-tree", "-z", commit, "--", path).split(b"\0"):
            about, _, name = line.partition(b"\t")
            if os.fsdecode(name) == path and about.split()[1] == b"blob":
                return about.split()[2].decode()
        return None

    def extract(self, blob: str, target: Path) -> None:
        """Write a blob to a file; of a Git LFS pointer the file itself, where it was fetched.

        Raises:
            ModelError: git does not have it; `cause` says why.
        """
        with target.open("wb") as stream:
            done = subprocess.run(
                ["git", "cat-file", "blob", blob],
                cwd=self._folder,
                env={**os.environ, **_QUIET},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.PIPE,
                check=False,
            )
        if done.returncode:
            raise ModelError("git does not have the file", cause=_reason(done))
        if stored := self._stored(target):
            shutil.copyfile(stored, target)

    def _stored(self, file: Path) -> Path | None:
        """Where Git LFS keeps what a pointer stands for."""
        if file.stat().st_size > _LARGEST_POINTER:
            return None
        match = _POINTER.match(file.read_bytes())
        if match is None:
            return None
        oid = match[1].decode()
        common = os.fsdecode(self._ask("rev-parse", "--git-common-dir")).removesuffix("\n")
        stored = self._folder / common / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
        return stored.resolve() if stored.is_file() else None


def is_pointer(file: Path) -> bool:
    """Whether a file is a Git LFS pointer."""
    with file.open("rb") as stream:
        return _POINTER.match(stream.read(_LARGEST_POINTER)) is not None


def _split(output: bytes) -> list[str]:
    return [os.fsdecode(path) for path in output.split(b"\0") if path]


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    """The first line of what git says of an error."""
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else f"exit code {done.returncode}"
