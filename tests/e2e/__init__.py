"""The whole plant as a user runs it: `scada demo` in its own processes, real sockets, real browsers."""
