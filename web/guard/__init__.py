"""What stands before the views: keys, limits, slow senders, browsers."""
