"""What the log says of a shadow's rows beside live's: counted by unit, without what is excused."""
