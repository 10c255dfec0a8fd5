"""Live and a shadow compared by the labels of the rows that both answered."""
