"""Processes without an API: Celery's workers and beat, and the streamer."""
