"""Events for OPC UA clients (OPC 10000-4 §7.22.3, OPC 10000-5 §6.4): what happened in the plant, and who did what.

What lives here: who calls and what is recorded of it (`audit`), the event types of namespace 0 (`types`), an event as
fields (`event`), events of the rings as such events (`mapping`), event filters (`filters`, `operators`), the
event items of one subscription (`items`) and the distribution to all of them (`hub`). What may not: alarms as objects
with methods (`scada.opcua.conditions`), sockets, sessions.
"""
