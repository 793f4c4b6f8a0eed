"""When a latent space counts as collapsed, told from the geometry of its validation features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# Each lies in the gap between what was measured; docs/pretraining.md (Collapse) has the table.
# Uniformity: an untrained ResNet-50, the least spread of the healthy, has -2e-3; bfloat16 rounds at -5e-6.
POINT = -1e-4
# Rank share: untrained encoders have .26 and more, the authors' M-FLAG loss .05 to .19 on the images it was trained on.
FEW = 0.2
WELL = 0.25  # the rank share from which a collapsed space is no longer one
# Of the run's highest effective rank: M-FLAG's default keeps .73, the authors' loss .10 to .46.
LOST = 0.5
COARSE = 8  # below this limit of the rank (9 images) one image more or less moves it too far

Row = Mapping[str, float]


def why_collapsed(scores: Row, earlier: Sequence[Row] = ()) -> str:
    """What is wrong with a latent space in words, with the numbers; empty for a healthy one.

    Collapsed means one of: all features are nearly one point (uniformity above -1e-4); 64 images span less than a fifth
    of the directions that they could (rank share); the effective rank has fallen below half of the run's highest. An
    untrained network, features after a ReLU (all in one orthant: uniformity about -.02) and the usual noise of a small
    validation set are none of these. What was collapsed stays so until the rank share is a quarter.

    Args:
        scores: `latent_geometry` of the validation features; what it lacks is not judged.
        earlier: rows of the run's history up to here, with `val_effective_rank` and `val_collapsed`.
    """
    if scores.get("uniformity", -1.0) > POINT:
        return f"all features are nearly one point (uniformity {scores['uniformity']:.1e}; 0 = the same)"
    rank, limit = scores.get("effective_rank"), scores.get("effective_rank_limit")
    if rank is None or limit is None or limit < COARSE:
        return ""
    before = [row for row in earlier if "val_effective_rank" in row]
    was_collapsed = bool(before) and before[-1].get("val_collapsed", 0) > 0
    if scores.get("rank_share", 1.0) < (WELL if was_collapsed else FEW):
        return (
            f"the features use few directions: effective rank {rank:.1f} of at most {limit:.0f}, "
            f"rank share {scores['rank_share']:.2f} (of an untrained encoder: .26 and more)"
        )
    highest = max((row["val_effective_rank"] for row in before), default=rank)
    if rank < LOST * highest:
        return f"the effective rank has fallen to {rank:.1f} from {highest:.1f} (at most {limit:.0f})"
    return ""


def first_collapse(rows: Sequence[Row]) -> float | None:
    """First epoch of a history that was collapsed (`val_collapsed`), of any seed whose rows are among them."""
    return min((row["epoch"] for row in rows if row.get("val_collapsed", 0) > 0), default=None)
