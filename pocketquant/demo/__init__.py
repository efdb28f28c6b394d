"""The demo runs the whole platform on private servers and a simulated market."""
