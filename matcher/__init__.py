"""Investment-promotion matchmaking: facts in, ranked and explained matches out."""

__version__ = "0.1.0"
