"""Equipment: the valves, motors and loops of the site as objects with types and methods (OPC 10000-3 §4.7, §5.5).

What lives here: which equipment a site has and of which types (`model`), what can be done with it (`methods`), its
nodes (`nodes`), and calls, which become requests to control (`calls`). What may not: nodes of tags and folders
(`scada.opcua.nodes`), values, and rules of control, which refuses by itself what may not be done now.
"""
