"""The HTTP side: the Flask application."""
