"""How results are printed: what was measured, beside its baseline and its goal."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    what: str
    ours: float
    unit: str
    baseline: float | None = None
    baseline_name: str = ""
    goal: float | None = None
    """At most this much, in the same unit."""


def show(name: str, rows: list[Row]) -> None:
    print(f"\n{name}")
    for row in rows:
        line = f"  {row.what:<58} {row.ours:9.1f} {row.unit}"
        if row.baseline:
            line += f"   {row.ours / row.baseline:5.2f}x of {row.baseline:.1f} {row.unit} ({row.baseline_name})"
        if row.goal is not None:
            line += f"   goal ≤ {row.goal:g}: {'met' if row.ours <= row.goal else 'MISSED'}"
        print(line, flush=True)
