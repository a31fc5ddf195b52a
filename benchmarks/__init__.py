"""Speed, learning and size, measured on your own machine: `python -m benchmarks`, or one of them by
name.
"""
