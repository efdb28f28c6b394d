"""What is known of the other processes and of the servers."""
