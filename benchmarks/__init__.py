"""How long a cell takes here, and with what one would use instead. See benchmarks/README.md."""
