"""The basis of offline work: logged rows, tables of predictions, and running rows again."""
