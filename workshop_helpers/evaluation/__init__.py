"""Who answered what, before and after; forgetting; what quantization costs."""
