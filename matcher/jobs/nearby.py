"""The refusal of an unknown identifier names the records whose identifier or name resembles it."""

from collections.abc import Sequence

import polars as pl
from rapidfuzz import fuzz, process

from matcher.errors import NotFoundError
from matcher.text import fold

NEARBY = 5


def not_found(kind: str, asked: str, frame: pl.DataFrame, key: str, names: Sequence[str]) -> NotFoundError:
    """The refusal of `asked`, with up to `NEARBY` records of the frame by their columns `key` and `names`."""
    labels = {}
    for row in frame.select(key, *names).iter_rows(named=True):
        told = next((str(row[n]) for n in names if row[n]), "")
        labels[row[key]] = (f"{row[key]} ({told})", fold(" ".join(str(v) for v in row.values() if v)))
    wanted = fold(asked)
    by_id = process.extract(wanted, {k: fold(k) for k in labels}, scorer=fuzz.ratio, limit=NEARBY, score_cutoff=70)
    by_name = process.extract(
        wanted, {k: v[1] for k, v in labels.items()}, scorer=fuzz.partial_ratio, limit=NEARBY, score_cutoff=75
    )
    near = list(dict.fromkeys(k for _, _, k in [*by_id, *by_name]))[:NEARBY] or sorted(labels)[:NEARBY]
    nearby = [labels[k][0] for k in near]
    short = asked if len(asked) <= 60 else asked[:57] + "…"
    hint = "" if nearby else f" No {kind} is stored yet."
    return NotFoundError(f'There is no {kind} "{short}".{hint}', nearby)
