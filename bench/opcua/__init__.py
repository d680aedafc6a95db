"""What OPC UA costs and does, beside other servers in the same run.

`servers` starts ours and the peers as processes of their own; `raw` is a client that encodes each request once and decodes
only frame headers and counts, so that the server is what is measured. Each other file measures one thing and has
`measure(results)`; `__main__` runs them. `python -m bench.opcua.hold` and `python -m bench.opcua.attacks` run by themselves.
"""
