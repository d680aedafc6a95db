"""The OPC UA server: the tag model for third-party clients, in its own process, over `scada.client`.

What lives here: connections and requests (`wire`), certificates, people and permissions (`security`), the address space
(`nodes`, `equipment`, `information`), values (`table`, `reading`, `writes`, `subscriptions`), events and alarms (`events`,
`conditions`), the past (`history`), what a client may ask for (`limits`), all of it put together (`assembly`) and the service
(`service`). asyncua is the engine and is touched in these folders only. What may not: the image, rings and sockets of the
plant; the client has them.
"""
