"""What keeps a plant safe, proved on real processes: services killed and frozen at random, PLCs without power.

`rig` runs the demo's plant (its own loss times shortened) with the PLCs in a process of their own, so that they outlive
everything; `witness` looks at what the PLCs hold over a connection of its own; `rounds` are the disasters. `test_table`
ties every sentence of docs/explanation/safety.md to the tests that show it.
"""
