"""From a model folder to a quantized GGUF file, and a look into one."""
