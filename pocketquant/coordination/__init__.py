"""Coordinate processes through Redis: leases, the governor, the fleet, nudges."""
