"""Bytes and texts that nobody meant, into everything that reads some: no crash, no hang, bounded memory.

`mutate` makes inputs out of valid ones, from a seed; `targets` names the readers with their valid inputs; `run` feeds one
to the other and measures. `make fuzz N=…` does millions of each.
"""
