"""The simulated server's side of the protocol; it opens no socket."""
