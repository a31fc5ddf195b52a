"""How `mame` was made: grammar → corpus → tokenizer → pretraining → evaluation. `make mame` repeats
it.
"""
