"""The address space: what there is to be browsed, made when somebody looks.

What lives here: NodeIds (`ids`), the mapping that asyncua finds nodes in and the `Source`s that make them (`lazy`),
the parts of a node (`make`), nodes of tags, their folders and properties (`tags`, `access_types`), and the standard
nodes (`standard`). What may not: values (`table`), and what equipment and conditions are made of.
"""
