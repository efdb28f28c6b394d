"""How a process shows that it is alive."""
