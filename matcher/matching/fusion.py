"""Several rankers as one: weighted reciprocal ranks, parts and weights chosen on an earlier period."""
