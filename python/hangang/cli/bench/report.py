"""What `hangang bench` measured, for its printed tables and its charts."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Report", "Table"]


@dataclass
class Table:
    """Costs by name, in seconds an event, and their ratios to ours; one column for each cut of the bytes."""

    title: str
    columns: tuple[str, ...]
    rows: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # (ratio, seconds) a column


@dataclass
class Report:
    """Everything that was measured."""

    machine: list[str]
    decoding: list[Table] = field(default_factory=list)
    clients: list[Table] = field(default_factory=list)
    lengths: dict[str, list[tuple[int, float]]] = field(default_factory=dict)  # (events, seconds a stream)
    missing: list[str] = field(default_factory=list)
