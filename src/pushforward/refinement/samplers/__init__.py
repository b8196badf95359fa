"""The samplers that refine: each a function of tensors, to be used by itself."""
