"""The verbs for commissioning, against real devices on sockets."""
