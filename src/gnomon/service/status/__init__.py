"""What a slice, and a deployment of several, report about themselves."""
