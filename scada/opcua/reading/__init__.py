"""The Read service (OPC 10000-4 §5.10.2).

What lives here: how the bytes of a request become rows of the table (`request`), the answer (`answer`), attributes of
all other nodes with what each caller may see (`attributes`), and the service itself (`service`). What may not: values
(`table`) and who may read them (`security.access`).
"""
