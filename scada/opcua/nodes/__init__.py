"""The address space: what there is to be browsed, made when somebody looks.

What lives here: NodeIds (`ids`), the mapping that asyncua finds nodes in and the `Source`s that make them (`lazy`),
the parts of a node (`make`), nodes of tags, their folders and properties (`tags`, `tree`, `access_types`, `references`), the
standard nodes (`standard`), the View services (`browse`, `registered`, `services`), and the export as a node set
(`nodeset`, `values_xml`). What may not: values (`table`), and what equipment and conditions are made of.
"""
