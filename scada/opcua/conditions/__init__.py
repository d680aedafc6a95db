"""The alarms of a site as Conditions (OPC 10000-9): each alarm is one, without branches.

What lives here: what a client sees of an alarm (`fields`), the state of all of them (`state`), their nodes (`nodes`),
their methods as requests to control (`methods`, `refresh`). What may not: when an alarm is active and what may be done
with it (`scada.alarms`); control decides.
"""
