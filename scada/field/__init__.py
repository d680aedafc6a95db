"""The field: devices are polled, their values published, control's commands written to them.

What lives here: the service (`service`), one device's loop (`poller`), when its scan groups are due (`groups`, pure),
its writing half (`writer`) with the pure rules of writing (`commands`; `absence`: what counts after a break of the link),
its heartbeat register (`watchdog`, `heartbeat`; `trust`: what is remembered of it), what is published of a device
(`samples`, forces included) and of many at once (`batch`), how the devices are (`health`), whether control lives
(`watch`), the interface that drivers implement (`driver`), and one folder per driver (`modbus`).

What may not: control logic, history, screens. Nothing here is imported by another service, and drivers are found
through the entry point group `scada.drivers`, so importing a driver stays cheap: no protocol library at import.
"""
