"""The Modbus protocol itself: what both ends of a connection know, and nothing of tags, plants or services.

What lives here: requests and what answers them (`wire`), the framing of Modbus TCP (`mbap`) and of serial lines (`rtu`),
the texts of endpoints (`endpoint`), certificates and roles of Modbus/TCP Security (`tls`). The driver (`scada.field.modbus`)
and the simulated devices (`scada.simulate`) both build on it.

What may not: sockets, event loops, clocks. Bytes come in as arguments and go out as results.
"""
