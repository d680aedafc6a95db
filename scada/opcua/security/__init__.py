"""Who may connect, who they are and what they may do.

What lives here: callers (`caller`), what a caller may do with which tag (`access`), passwords (`passwords`), sessions
(`sessions`), the server's own certificate (`certificates`). What may not: the plant's values; limits on what a
connection may cost are `wire`'s.
"""
