"""Signs of life of a process: fleet, metrics page, alive file, and its loops."""
