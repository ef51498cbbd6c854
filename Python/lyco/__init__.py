"""Adapters of diffusion models (LoRA, LyCORIS): what the tools of lyco do, as functions.

Each function runs the tool of its name. Keyword arguments are the tool's options (`lyco-extract --help`), spelled as
there: a flag is true, an option that takes several values is a list, one of `key=value` may be a dict; an underscore
behind a name that Python keeps for itself falls away (`from_="kohya"`). What comes back is what the tool prints with
`--json`.

    >>> import lyco
    >>> lyco.extract("base.safetensors", "tuned.safetensors", "adapter.safetensors", linear_dim=32)
    >>> lyco.inspect("adapter.safetensors")["adapter"]["algorithms"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping, Sequence, overload

from ._errors import LycoError, LycoWarning, UsageError, WorkError
from ._release import __version__

if TYPE_CHECKING:
    import os

    from typing_extensions import Unpack

    from ._options import (
        ConvertOptions, ExtractOptions, InspectOptions, MergeOptions, SampleOptions, TrainOptions)
    from ._progress import Progress

    Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]
    Report = dict[str, Any]
    Listener = Callable[[Progress], object]

__all__ = [
    "LycoError", "LycoWarning", "Progress", "UsageError", "WorkError", "__version__", "convert", "extract", "inspect",
    "merge", "sample", "train"]


def extract(
    base: Path, tuned: Path, output: Path | None = None, *, progress: Listener | None = None,
    **options: Unpack[ExtractOptions],
) -> Report:
    """Extracts an adapter from the difference of two checkpoints.

    Without an output, `dry_run=True` gives the plan alone. `progress` is called with a `Progress` up to ten times a
    second, in the caller's thread; what it raises interrupts the work.
    """
    return _run("extract", [base, tuned], output, options, progress)


def merge(
    base: Path, adapters: Path | Sequence[Path], output: Path | None = None, *, progress: Listener | None = None,
    **options: Unpack[MergeOptions],
) -> Report:
    """Bakes adapters into a checkpoint. See `extract` for `progress`."""
    return _run("merge", [base, *_paths(adapters)], output, options, progress)


def convert(
    inputs: Path | Sequence[Path], output: Path | None = None, *, progress: Listener | None = None,
    **options: Unpack[ConvertOptions],
) -> Report:
    """Turns adapters or checkpoints into other formats, algorithms, ranks, sums. See `extract` for `progress`."""
    return _run("convert", _paths(inputs), output, options, progress)


@overload
def inspect(
    file: Path, *, progress: Listener | None = None, **options: Unpack[InspectOptions]) -> Report: ...


@overload
def inspect(
    file: list[Path] | tuple[Path, ...], *, progress: Listener | None = None,
    **options: Unpack[InspectOptions]) -> list[Report]: ...


def inspect(file: Any, *, progress: Listener | None = None, **options: Unpack[InspectOptions]) -> Any:
    """Says what a file is and holds; a list of files gives a list, a folder its catalogue. See `extract` for
    `progress`.

    Faults that `check=True` finds, differences from other files and broken files of a folder are in what comes back,
    and raise nothing. If one file of a list cannot be read, the error has what is known of the others as its `report`.
    """
    paths = _paths(file)
    try:
        result: Any = _run("inspect", paths, None, options, progress)
    except WorkError as error:
        if not (isinstance(error.report, dict) and error.report.get("faults")):
            raise
        result = error.report
    return [result] if len(paths) == 1 and paths[0] is not file else result


def train(*, progress: Listener | None = None, **options: Unpack[TrainOptions]) -> Report:
    """Trains an adapter. See `extract` for `progress`."""
    return _run("train", [], None, options, progress)


def sample(
    adapters: Path | Sequence[Path] = (), output: Path | None = None, *, progress: Listener | None = None,
    **options: Unpack[SampleOptions],
) -> Report:
    """Draws pictures with a checkpoint and adapters. See `extract` for `progress`."""
    return _run("sample", _paths(adapters), output, options, progress)


def _paths(given: Any) -> list[Path]:
    import os

    return [given] if isinstance(given, (str, bytes, os.PathLike)) else list(given)


def _run(
    tool: str, inputs: Iterable[Path], output: Path | None, options: Mapping[str, Any], progress: Listener | None,
) -> Report:
    # Here, so that the commands, which import this module on their way, start quickly.
    from . import _arguments, _process

    report: Report = _process.run(tool, _arguments.command_line(tool, inputs, output, options), progress)
    return report


def __getattr__(name: str) -> Any:
    if name != "Progress":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ._progress import Progress

    return Progress
