"""What goes over Celery's broker."""
