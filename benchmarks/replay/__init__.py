"""What a replay costs beside reading its log and calling the bare pipeline."""
