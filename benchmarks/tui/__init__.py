"""How fast the full-screen chat is on a terminal; see `benchmarks.tui.__main__`."""
