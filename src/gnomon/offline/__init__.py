"""What offline work starts from: logged rows, tables of predictions, and running rows again."""
