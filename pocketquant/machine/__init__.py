"""Run all processes on one machine, with private servers where the settings name none."""
