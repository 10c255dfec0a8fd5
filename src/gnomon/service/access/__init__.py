"""Access: who sends a request, by which credential, and what their role allows."""
