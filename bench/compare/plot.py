"""Pictures: each shape's ratio to the best peer and to each peer, and its fraction of the peak."""

import math

from .engines import OURS, PEERS
from .report import COLUMNS

RANGE = (0.2, 8)  # of the ratios that are drawn
TICKS = (0.2, 0.5, 1, 2, 4, 8)


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
    figure = pyplot.figure(figsize=(max(8, 0.22 * widest), 7 * len(groups)), layout="constrained")
    parts = figure.subfigures(len(groups), 1, squeeze=False)[:, 0]
    for part, ((dtype, direction, column), group) in zip(parts, groups.items(), strict=True):
        part.suptitle(f"{title}; {dtype}, {direction}, {COLUMNS[column]}", fontsize=9)
        ratios, shares = part.subplots(2, 1, sharex=True)
        _draw_ratios(ratios, group)
        shares.bar(range(len(group)), [row.fraction for row in group], color="tab:blue")
        shares.axhline(1, color="black", linewidth=0.8)
        shares.set_ylabel("fraction of f32 FMA peak")
        shares.set_xticks(range(len(group)), [row.label for row in group], rotation=90,
                          fontsize=6)
        shares.set_xlim(-0.7, len(group) - 0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw_ratios(panel, group):
    """A bar from 1 to the best peer's ratio, a dot a peer; what lies outside RANGE, at its edge."""
    xs = range(len(group))
    panel.bar(xs, [row.ratio - 1 for row in group], bottom=1, color="0.8", label="best peer")
    for index, name in enumerate(PEERS):
        ys = [row.us(name) / row.us(OURS) for row in group]
        if not all(map(math.isnan, ys)):
            ys = [min(max(y, RANGE[0]), RANGE[1]) for y in ys]
            panel.plot(xs, ys, "o", color=f"C{index}", markersize=3, alpha=0.7, label=name)
    panel.axhline(1, color="black", linewidth=0.8)
    panel.set_yscale("log")
    panel.set_ylim(RANGE[0] / 1.1, RANGE[1] * 1.6)  # room for the legend
    panel.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
    panel.minorticks_off()
    panel.set_ylabel("peer's time / ours")
    panel.legend(fontsize=7, ncols=7, loc="upper left")
