"""The state of the servers and of all processes: snapshots, gauges, readiness."""
