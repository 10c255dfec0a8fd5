"""What measuring drift costs, and what other libraries say of the same data."""
