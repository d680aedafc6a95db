"""The truth kit: devices and lines that misbehave, and a judge who knows what every register held at every moment.

`framing` and `device` are the peer (an implementation of its own, nothing of it comes from the driver); `misbehaviours`
is the table of everything that goes wrong; `memory` puts both ends into simulated time, `real` on sockets, TLS and
pseudo terminals; `judge` polls through the driver's own session and condemns a value that was not true while it was
asked for; `planted` takes one strict rule after the other out of the driver.
"""
