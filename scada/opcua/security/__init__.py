"""Who may connect, who they are and what they may do.

What lives here: which certificates are believed (`validate`, pure; `store`, the folders; `guard`), the server's own
(`own`), channels (`channel`), whose a session is (`identity`, `passwords`, `sessions`; `secured` puts them into asyncua's
classes), callers (`caller`) and what they may do with which tag (`access`), and what is followed while it runs (`watch`).
What may not: the plant's values; limits on what a connection may cost are `wire`'s.
"""
