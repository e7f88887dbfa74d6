"""``wattwell factors``: a grid's hourly generation table as the factor files of a site."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from pathlib import Path

from analytics.report.grid_mix import GridMix, grid_mix
from wattwell.cli.show import emit
from wattwell.engine.factor_files import read_generation, write_factors
from wattwell.errors import UsageError

_MOST_HOLES = 20


def factors(args: Namespace) -> int:
    """Writes the files and prints what the table comes to."""
    mix, made = grid_mix(read_generation(Path(args.file)))
    if not mix.used:
        raise UsageError(f"{args.file} has no hour that can be used: each has an empty cell or no generation")
    files = write_factors(made, Path(args.out))
    if args.json:
        emit(dataclasses.asdict(mix) | {"files": [str(file) for file in files]})
        return 0
    for line in _lines(mix):
        print(line)
    for file in files:
        print(f"wrote {file}")
    return 0


def _lines(mix: GridMix) -> list[str]:
    lines = [
        f"{mix.start} to {mix.end}: {mix.used} of {mix.hours} hours used, {mix.generation_mwh:,.0f} MWh",
        f"renewable share {mix.renewable_share:.1%}, carbon-free share {mix.carbon_free_share:.1%}",
    ]
    if mix.mean_g_per_kwh is None:
        lines.append("carbon intensity unknown: there is no column avg_CI, so grid_kg_per_kwh.csv is not written")
    else:
        weighted = f"weighted by generation {mix.weighted_g_per_kwh:.1f}"
        lines.append(f"mean carbon intensity {mix.mean_g_per_kwh:.1f} g/kWh (plain mean of the hours; {weighted})")
    cells = f"empty cells: {mix.empty_cells}, negative cells: {mix.negative_cells}"
    lines.append(
        f"gaps: {len(mix.holes)} ({mix.hours - mix.used} hours; {cells}, hours without a row: {mix.missing_rows})"
    )
    lines += [f"  {hole.start} to {hole.end}" for hole in mix.holes[:_MOST_HOLES]]
    if len(mix.holes) > _MOST_HOLES:
        lines.append(f"  and {len(mix.holes) - _MOST_HOLES} more")
    return [*lines, mix.basis]
