"""History over OPC UA (OPC 10000-11), from the historian: HistoryRead and HistoryUpdate.

What lives here: the two services (`manager`), what a node answers (`reads`, `modified`, `events`), what is changed
(`update`), requests with exact times (`exact`), samples as bytes (`encode`), where a read goes on (`continuation`,
`points`), and what clients find out beforehand (`nodes`). Questions are answered by the historian's worker beside the
event loop; nothing here opens a file of history itself.
"""
