"""How good the matching is: measures on real deals, slices, audits, reports and timings."""
