"""The endpoints: one blueprint per file."""
