"""The endpoints, one blueprint a file."""
