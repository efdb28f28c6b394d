"""All processes on one machine, with private servers where none are given."""
