"""The field service and the Modbus driver, against real servers on real sockets."""
