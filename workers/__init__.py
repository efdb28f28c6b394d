"""The Celery side: workers and the beat."""
