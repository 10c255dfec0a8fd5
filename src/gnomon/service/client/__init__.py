"""The clients of a server, for threads and for asyncio."""
