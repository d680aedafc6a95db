"""Subscriptions and monitored items (OPC 10000-4 §5.13 and §5.14) over the table of wire records and the change rings.

What lives here: items on values of tags as arrays (`items`), queues that miss nothing (`queues`), what a client may ask
for (`parameters`), items on anything else (`polled`), a subscription (`subscription`), who has asked to be told (`waiting`),
messages as bytes (`messages`), the clock of all (`publishing`), items made and changed (`making`), the services (`service`), their
requests (`requests`) and what puts them into a server (`wiring`). What may not: asyncua's subscriptions, which cost a task each
and a copy of every value.
"""
