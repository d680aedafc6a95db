"""Connections: what arrives, what it may cost, and whose turn it is.

What lives here: chunks (`frames`), what a message may hold before anything is built of it (`decode`), limits of one
channel (`transport`), who may connect (`room`) and what all may take together (`budget`), one connection (`protocol`),
its requests (`processor`, `dispatch`) and the socket (`listener`). What may not: tags, values, who somebody is.
"""
