"""Labels in files: their columns, reading them in parts, and storing what is right."""
