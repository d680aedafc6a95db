"""What the server tells of itself (OPC 10000-5 §6.3): capabilities, status, health, diagnostics, namespaces.

What lives here: limits and profiles as ServerCapabilities (`capabilities`), ServerStatus and ServiceLevel (`status`),
diagnostics of sessions and subscriptions (`counters`, `diagnostics`), metadata of the site's namespace (`namespaces`), who has which role (`roles`),
and the server's own methods (`calls`). What may not: what is told; limits are kept where the work is done.
"""
