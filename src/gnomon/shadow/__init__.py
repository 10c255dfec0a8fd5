"""The shadow: the feed that follows the log and scores each request again, and its accounting."""
