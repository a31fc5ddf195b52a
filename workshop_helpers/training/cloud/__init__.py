"""Training on somebody else's machines: the jobs of OpenAI, Google and Together, through one
protocol, with their own clients. Nothing is sent before it was checked and its cost was told.
"""
