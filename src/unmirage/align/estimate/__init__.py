"""Before anything is spent: what a run trains, holds, computes and shows the model, from shapes alone."""
