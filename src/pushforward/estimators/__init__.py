"""What all models have in common: parameters, data, saving, loading, cards."""
