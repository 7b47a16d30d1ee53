"""The panel at the size of a hosting company: `make bench-scale`, or `python -m bench.scale --help`."""
