"""Alarms alone, over signals that the tests set."""
