from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a piece of work has come."""

    #: What is being done: `extracting`, `training`.
    activity: str
    #: In whatever unit the total has: bytes, modules, steps.
    completed: int
    total: int
    #: What is done, 0 to 1.
    share: float
    #: Of training: from 1, the loss averaged over the epoch, the learning rate.
    epoch: int | None = None
    loss: float | None = None
    lr: float | None = None
