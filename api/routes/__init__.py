"""One module per group of addresses; every route only reads."""
