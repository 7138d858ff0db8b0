"""Models of two git revisions, or of one and the working tree: only those whose files differ."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from graphlint.diffing.git import Entry, Repository, is_pointer
from graphlint.diffing.sources import Pair, Sides, Source
from graphlint.errors import ModelError, UsageError
from graphlint.problem import Problem

WORKING_TREE = "working tree"
_NOTHING = "000000"
_LINK, _SUBMODULE = "120000", "160000"


def of_revisions(spec: str, paths: Sequence[str], scratch: Path) -> Sides:
    """The models at `paths` (all below the current folder without) that differ.

    `spec` is `BASE`, held against the working tree, `BASE..HEAD`, or `BASE...HEAD` for what HEAD
    changed since it left BASE. Old files are written into the folder `scratch`.

    Raises:
        UsageError: there is no repository, no such revision, or nothing at a path.
    """
    repository, places = _repository(paths or ["."])
    old_name, new_name, base, head = _commits(repository, spec)
    for given, place in zip(paths, places, strict=False):
        _check_there(repository, given, place, base, head)
    reader = _Reader(repository, base, head, old_name, new_name, scratch)
    entries = repository.changed(base, head, places)
    if head is None:
        zeros = "0" * 40
        entries += [
            Entry(path, _NOTHING, "100644", zeros, zeros, "A")
            for path in repository.untracked(places)
        ]
    named = [place for place in places if not place.endswith("/") and place != "."]
    models = [
        entry
        for entry in sorted(entries, key=lambda entry: entry.path)
        if entry.path.lower().endswith(".onnx") or entry.path in named
    ]
    pairs = [reader.pair(e) for e in models if _SUBMODULE not in (e.old_mode, e.new_mode)]
    return Sides(old_name, new_name, tuple(pairs), tuple(_submodules(entries)))


def _submodules(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        if _SUBMODULE in (entry.old_mode, entry.new_mode):
            yield (
                f"{entry.path} is a submodule that changed: to see its models, run "
                "graphlint diff --git inside it"
            )


def _repository(paths: Sequence[str]) -> tuple[Repository, list[str]]:
    """The repository of all paths, and the paths from its top."""
    found: dict[Path, Repository] = {}
    places = []
    for path in paths:
        # Not resolved: git stores a link itself, not what it leads to.
        whole = Path(os.path.abspath(path))
        folder = whole if whole.is_dir() else whole.parent
        while not folder.is_dir():
            folder = folder.parent
        repository = Repository(folder)
        found[repository.top] = repository
        inside = os.path.relpath(os.path.realpath(folder), os.path.realpath(repository.top))
        place = Path(inside) / whole.relative_to(folder)
        places.append(place.as_posix())
    if len(found) > 1:
        raise UsageError(
            f"{paths[-1]}: in another repository than {paths[0]}",
            cause="a submodule, or a repository inside another, has revisions of its own",
            hint="run graphlint diff --git for each repository",
        )
    return next(iter(found.values())), places


def _commits(repository: Repository, spec: str) -> tuple[str, str, str, str | None]:
    """What both sides are called, and their commits; None for the working tree."""
    if "..." in spec:
        one, _, other = spec.partition("...")
        one, other = one or "HEAD", other or "HEAD"
        base = repository.merge_base(one, other)
        return base[:10], other, base, repository.commit(other)
    if ".." in spec:
        one, _, other = spec.partition("..")
        one, other = one or "HEAD", other or "HEAD"
        return one, other, repository.commit(one), repository.commit(other)
    return spec, WORKING_TREE, repository.commit(spec), None


def _check_there(
    repository: Repository, given: str, place: str, base: str, head: str | None
) -> None:
    if place == "." or repository.holds(base, place):
        return
    there = os.path.lexists(given) if head is None else repository.holds(head, place)
    if not there:
        raise UsageError(
            f"{given}: on neither side",
            cause="no file and no folder of that name is in either revision",
            hint="check the path, and the revisions",
        )


class _Reader:
    """Brings files of the revisions to disk."""

    def __init__(
        self,
        repository: Repository,
        base: str,
        head: str | None,
        old_name: str,
        new_name: str,
        scratch: Path,
    ) -> None:
        self._repository = repository
        self._base, self._head = base, head
        self._old_name, self._new_name = old_name, new_name
        self._scratch = scratch
        self._written = 0

    def pair(self, entry: Entry) -> Pair:
        """A file that differs, on both sides."""
        old = self._source(entry.path, entry.old_mode, entry.old_blob, self._base, self._old_name)
        if self._head is not None:
            mode, blob = entry.new_mode, entry.new_blob
            return Pair(old, self._source(entry.path, mode, blob, self._head, self._new_name))
        if entry.new_mode == _NOTHING:
            return Pair(old, None)
        return Pair(old, Source(self._shown(entry.path)))

    def _shown(self, path: str) -> str:
        """The path as seen from the current folder."""
        return os.path.relpath(self._repository.top / path, os.path.realpath("."))

    def _source(self, path: str, mode: str, blob: str, commit: str, name: str) -> Source | None:
        """A file of a commit, written to a folder of its own."""
        if mode == _NOTHING:
            return None
        shown = self._shown(path)
        folder = self._scratch / str(self._written)
        self._written += 1
        folder.mkdir()
        file = folder / "model.onnx"
        told = f"{name}:{path}"
        if mode == _LINK:
            problem = Problem(
                f"{told}: a symbolic link",
                "git stores where it leads to, not a model",
                "name the file that it leads to",
            )
            return Source(shown, revision=name, problem=problem)
        try:
            self._repository.extract(blob, file)
        except ModelError as error:
            hint = "fetch it: git fetch --refetch, or git fetch --unshallow"
            problem = Problem(f"{told}: can't be read", error.cause, hint)
            return Source(shown, revision=name, problem=problem)
        if is_pointer(file):
            return Source(shown, revision=name, problem=_pointer(told, name))

        def fetch(locations: Iterable[str]) -> Problem | None:
            return self._external(commit, name, PurePosixPath(path).parent, folder, locations)

        return Source(shown, file, name, fetch)

    def _external(
        self, commit: str, name: str, home: PurePosixPath, folder: Path, locations: Iterable[str]
    ) -> Problem | None:
        """Write a model's external data beside it, as far as git has them."""
        for location in locations:
            place = PurePosixPath(location)
            told = f"{name}:{home / place}"
            if place.is_absolute() or ".." in place.parts or {"\\", "\0"} & set(location):
                return Problem(f"{told}: external data outside the model's folder")
            blob = self._repository.blob(commit, (home / place).as_posix())
            if blob is None:
                return Problem(
                    f"{told}: external data is not in git",
                    "the revision has no file of that name beside the model",
                    "check the model out with its data, and compare the files",
                )
            target = folder / place
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._repository.extract(blob, target)
            except (ModelError, OSError) as error:
                return Problem(f"{told}: external data can't be read", str(error))
            if is_pointer(target):
                return _pointer(told, name)
        return None


def _pointer(told: str, revision: str) -> Problem:
    return Problem(
        f"{told}: a Git LFS pointer, not the model",
        "the repository keeps the file with Git LFS, and this clone has not fetched it",
        f"fetch it: git lfs fetch origin {revision} (for the working tree: git lfs pull)",
    )
