"""From live quotes to stored bars."""
