"""Forwards history to other databases: in order, at least once, at the pace that they take it.

Lives here: the service `forward` (`python -m historian.sinks`), what becomes of an answer (`delivery`, pure), lines for
InfluxDB (`lines`, pure), its client (`influx`), cursors and quarantine (`state`), and the spool, where the historian puts
what a sink still needs before it folds its journal. Nothing here may delay a commit of the historian: the service only
reads the history. May import what `historian` may.
"""
