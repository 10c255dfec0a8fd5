"""Child processes of a server: they read the log with pandas, which the gateway must not import."""
