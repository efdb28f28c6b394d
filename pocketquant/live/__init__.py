"""Live bars, from quotes to what is stored of them."""
