"""Pictures: each shape's ratio to the best peer and to each peer, and its fraction of the peak."""

import math

from .engines import OURS, PEERS
from .report import COLUMNS


def write_plot(path, rows, title):
    """A pair of panels for each dtype, direction and column; RuntimeError without matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise RuntimeError("--plot needs matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    groups = {}
    for row in rows:
        if not math.isnan(row.us(OURS)):
            groups.setdefault((row.dtype, row.direction, row.column), []).append(row)
    if not groups:
        raise RuntimeError("there is nothing of ours to plot")
    widest = max(len(group) for group in groups.values())
    figure, panels = pyplot.subplots(
        2 * len(groups), 1, figsize=(max(8, 0.22 * widest), 6.5 * len(groups)), squeeze=False)
    for index, ((dtype, direction, column), group) in enumerate(groups.items()):
        ratios, shares = panels[2 * index][0], panels[2 * index + 1][0]
        xs = range(len(group))
        for name in PEERS:
            ys = [row.us(name) / row.us(OURS) for row in group]
            if not all(map(math.isnan, ys)):
                ratios.plot(xs, ys, "o", markersize=3, alpha=0.6, label=name)
        ratios.bar(xs, [row.ratio for row in group], color="0.85", label="best peer")
        ratios.axhline(1, color="black", linewidth=0.8)
        ratios.set_yscale("log")
        ratios.set_ylabel("time / ours (above 1: ours is faster)")
        ratios.set_title(f"{title}\n{dtype}, {direction}, {COLUMNS[column]}", fontsize=9)
        ratios.set_xticks([])
        ratios.legend(fontsize=7, ncols=4)
        shares.bar(xs, [row.fraction for row in group], color="tab:blue")
        shares.axhline(1, color="black", linewidth=0.8)
        shares.set_ylabel("fraction of the f32 FMA peak")
        shares.set_xticks(list(xs), [row.label for row in group], rotation=90, fontsize=6)
        for panel in (ratios, shares):
            panel.set_xlim(-0.7, len(group) - 0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
