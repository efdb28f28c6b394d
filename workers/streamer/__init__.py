"""The process that streams live quotes."""
