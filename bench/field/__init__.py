"""The field: what requests and tags cost, and how well periods are held, beside pymodbus, libmodbus and pymscada.

Lives here: the PLCs that everybody asks (`peer`), requests alone (`requests`), whole cycles into the image (`cycles`), the
service at work (`service`), decoding and planning alone (`parts`), the peers (`stock`: pymodbus as it ships, `libmodbus` in C, `pymscada`), and the run (`__main__`):
`python -m bench.field`, with `--seconds 0.3` for a smoke.

All in one run, the sides by turns, so that a busy machine hits each of them. The PLCs are another process, on the other
core where there is one; processor time is of the measured process alone, and the best of several rounds counts.
"""
