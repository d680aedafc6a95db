"""The field: devices are polled, their values published, control's commands written to them.

What lives here: the service (`service`), the rules of writing to devices (`commands`), arming (`arming`), forces
(`forces`), and one folder per driver (`modbus`).

What may not: control logic, history, screens. Nothing here is imported by another service, and drivers are found
through the entry point group `scada.drivers`, so importing a driver stays cheap: no protocol library at import.
"""
