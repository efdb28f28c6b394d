"""The demo: the whole platform on private servers and a simulated market."""
