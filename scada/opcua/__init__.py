"""The OPC UA server: the tag model for third-party clients, in its own process, over `scada.client`.

What lives here: the address space (`space`), values and changes (`mirror`), writes as requests (`writes`), sessions
and log-ins (`sessions`), what a client may cost (`connections`) and is told (`monitoring`), the application certificate (`certificates`) and the service (`service`). asyncua is the
engine and is touched in these files only. What may not: the image, rings and sockets of the plant; the client has
them.
"""
