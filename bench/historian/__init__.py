"""The historian's store beside InfluxDB 1.6.7, VictoriaMetrics, DuckDB and plain SQLite rows, all with the same generated day.

Lives here: the day (`day`), one module for each store (`ours`, `servers`, `duck`, `rows`) with the same verbs (`store`), the
codec and the settings alone (`parts`), and the run (`__main__`): `python -m bench.historian`, with `--hours 0.5` for a smoke.
"""
