"""Before anything is spent: what a run trains, holds, computes and shows the model, from shapes alone."""

from unmirage.align.estimate.lengths import check_lengths
from unmirage.align.estimate.result import Estimate
from unmirage.align.estimate.run import estimate

__all__ = ["Estimate", "check_lengths", "estimate"]
