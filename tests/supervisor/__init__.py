"""The supervisor with tiny real services: real processes, real signals."""
