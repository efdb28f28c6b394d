"""Publish messages by Celery's broker; what they hold."""
