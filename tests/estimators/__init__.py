"""Every estimator that scikit-learn's discovery lists, and the usual ones of others."""
