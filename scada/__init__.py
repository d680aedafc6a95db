"""Reads the field, decides and acts.

Services (each a process): `field`, `control`, `opcua`, `simulate`; `supervisor` keeps them alive; `cli` is the
`scada` command. `client` is how everything else reads, follows and asks. Pure rooms: `scan`, `blocks`, `alarms`,
`requests`, `access`. What a value is stands in `tags`, what is remembered in `historian`, what people see in `hmi`.
"""
