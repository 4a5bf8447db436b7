"""From records to rows, tables of 80 columns, and CSV."""

import csv
import math
import statistics
import textwrap
from dataclasses import dataclass, field

from .engines import ENGINES, OURS, PEERS

COLUMNS = {"run": "weights are arguments", "const": "weights are constant"}
NAN = float("nan")
ENOUGH = 3  # repeats that it takes to call a shape behind


@dataclass
class Row:
    """One command in one column. Times in microseconds; NaN and "" where there is nothing."""

    command: str
    column: str
    direction: str
    dtype: str
    label: str
    flops: float
    times: dict = field(default_factory=dict)  # engine: the time of each repeat
    notes: dict = field(default_factory=dict)  # engine: why it has none, or what is wrong with it
    compile_ms: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    artifact_bytes: float = NAN
    peaks: list = field(default_factory=list)  # GFLOP/s, of each repeat
    wrong: set = field(default_factory=set)

    def us(self, name):
        """The engine's time: the median over repeats of the median over turns."""
        known = [t for t in self.times.get(name, []) if not math.isnan(t)]
        return statistics.median(known) if known else NAN

    @property
    def gflops(self):
        return self.flops / self.us(OURS) * 1e-3

    @property
    def fraction(self):
        """Of the peak that was measured in the same repeat."""
        shares = [self.flops / t * 1e-3 / peak
                  for t, peak in zip(self.times.get(OURS, []), self.peaks, strict=False)]
        shares = [share for share in shares if not math.isnan(share)]
        return statistics.median(shares) if shares else NAN

    @property
    def best(self):
        """The fastest peer whose results are right, or ""."""
        right = [name for name in PEERS
                 if name not in self.wrong and not math.isnan(self.us(name))]
        return min(right, key=self.us) if right else ""

    @property
    def ratio(self):
        """The best peer's time over ours, median over repeats: above 1, ours is faster."""
        ratios = self._ratios()
        return statistics.median(ratios) if ratios else NAN

    def _ratios(self):
        if not self.best or OURS in self.wrong:
            return []
        pairs = zip(self.times[self.best], self.times.get(OURS, []), strict=False)
        return [peer / ours for peer, ours in pairs if not math.isnan(peer + ours)]

    @property
    def behind(self):
        """Whether the median of enough repeats says so: one or two may be chance."""
        return self.ratio < 1 and len(self._ratios()) >= ENOUGH


def rows_of(records):
    """A Row for each command and column, in the order of their first record."""
    rows = {}
    for record in records:
        key = (record["command"], record["column"])
        row = rows.setdefault(key, Row(*key, *(record[name] for name in
                                               ("direction", "dtype", "label", "flops"))))
        row.peaks.append(record["peak_gflops"])
        for name in ENGINES:
            figures = record["engines"].get(name)
            row.times.setdefault(name, []).append(
                statistics.median(figures["us"]) if figures and figures["us"] else NAN)
            if figures and figures.get("compile_ms") is not None:
                row.compile_ms[name] = figures["compile_ms"]
            if figures and figures.get("version"):
                row.versions[name] = figures["version"]
        ours = record["engines"].get(OURS, {})
        row.artifact_bytes = ours.get("artifact_bytes", row.artifact_bytes)
        row.wrong |= set(record["wrong"])
        for kind in ("unsupported", "errors", "wrong"):
            for name, why in record[kind].items():
                row.notes[name] = f"{kind.removesuffix('s')}: {why}"
    return list(rows.values())


def number(value, digits=0):
    """The figure, or a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def table(rows):
    """Lines of at most 80 columns for the rows of one dtype, direction and column."""
    lines = [f"{'shape':33} {'ours µs':>9} {'GFLOP/s':>7} {'peak':>4} {'best peer':>9} ratio"]
    for row in rows:
        ours = number(row.us(OURS), 1)
        if OURS in row.wrong:
            ours = "WRONG"
        elif ours == "-" and OURS in row.notes:
            ours = row.notes[OURS].split(":")[0].replace("unsupported", "unsupp.")
        last = f"{number(row.ratio, 2):>5}{' behind' if row.behind else ''}"
        if math.isnan(row.us(OURS)) and row.best:
            last = f"{row.us(row.best):.1f} µs"
        lines.append(f"{row.label[:33]:33} {ours:>9} {number(row.gflops):>7} "
                     f"{number(row.fraction, 2):>4} {row.best or '-':>9} {last}")
    return lines + summary(rows)


def summary(rows):
    """The geometric mean of the ratios, and how many shapes are behind."""
    known = [row.ratio for row in rows if not math.isnan(row.ratio)]
    lines = []
    if known:
        mean = math.exp(statistics.fmean(math.log(ratio) for ratio in known))
        lines.append(f"geometric mean of best peer / ours: {mean:.2f} over {len(known)} shapes; "
                     f"behind: {sum(row.behind for row in rows)}")
    for name in PEERS:
        ratios = [row.us(name) / row.us(OURS) for row in rows if name not in row.wrong]
        ratios = [ratio for ratio in ratios if not math.isnan(ratio)]
        if ratios:
            mean = math.exp(statistics.fmean(map(math.log, ratios)))
            lines.append(f"  {name} / ours: {mean:.2f} over {len(ratios)}")
    return lines


def report(rows):
    """The whole text: a table for each dtype, direction and column, then what went wrong."""
    groups, lines = {}, []
    for row in rows:
        groups.setdefault((row.dtype, row.direction, row.column), []).append(row)
    for (dtype, direction, column), group in groups.items():
        lines += [f"{dtype}, {direction}, {COLUMNS[column]}", *table(group), ""]
    return "\n".join(lines + remarks(rows))


def remarks(rows):
    """What went wrong: for each engine and kind of trouble how often, and the first one."""
    seen, lines = {}, []
    for row in rows:
        for name, why in row.notes.items():
            seen.setdefault((name, why.split(":")[0]), []).append(row)
    for (name, _), where in seen.items():
        first = where[0]
        lines += textwrap.wrap(f"{name}: {len(where)} of {len(rows)}, first {first.label} "
                               f"{first.dtype}: {first.notes[name]}", 80, subsequent_indent="  ")
    return lines


def write_csv(path, rows, stamp):
    """Everything, a line for each command and column."""
    names = [name for name in ENGINES if any(not math.isnan(row.us(name)) for row in rows)
             or any(name in row.notes for row in rows)]
    head = ["command", "label", "dtype", "direction", "column", "threads", "cpu", "flops",
            "gflops", "peak_gflops", "peak_fraction", "best_peer", "ratio", "behind",
            "repeats", "artifact_bytes"]
    for name in names:
        head += [f"{name}_us", f"{name}_us_min", f"{name}_us_max", f"{name}_compile_ms",
                 f"{name}_version", f"{name}_note"]
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(head)
        for row in rows:
            peaks = [peak for peak in row.peaks if not math.isnan(peak)]
            cells = [row.command, row.label, row.dtype, row.direction, row.column,
                     stamp["threads"], stamp["cpu"], row.flops, row.gflops,
                     statistics.median(peaks) if peaks else NAN, row.fraction, row.best,
                     row.ratio, int(row.behind), len(row.peaks), row.artifact_bytes]
            for name in names:
                known = [t for t in row.times.get(name, []) if not math.isnan(t)] or [NAN]
                cells += [row.us(name), min(known), max(known), row.compile_ms.get(name, NAN),
                          row.versions.get(name, ""), row.notes.get(name, "")]
            out.writerow(["" if isinstance(cell, float) and math.isnan(cell) else cell
                          for cell in cells])
