"""Forwards history to other databases: each series in its order, at least once, at the pace that they take it.

Lives here: the service `forward` (`python -m historian.sinks`) and its `worker`. What is sent: `feed` (what is new, with the
spool, where the historian puts what a sink still needs before it folds its journal), `backfill` (old history), `corrections`,
`happened` (events), all as a `portion`, read ahead by `source`. How: `lines`, `lanes`, `delivery`, `influx`. What is remembered: `state`, `jobs`,
`quarantine`. What a database has lost: `losses`, `marks`. Reading one back: `reading`, `counting`. Nothing here may delay a commit of the
historian: the service only reads the history. May import what `historian` may.
"""
