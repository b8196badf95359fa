"""Measurements behind the figures in `docs/benchmarks.md`; see `benchmarks/README.md`."""
