"""What a replay costs, compared with reading its log and calling the bare pipeline."""
