"""The check that every row received, and every row a shadow had to score, has one outcome."""
