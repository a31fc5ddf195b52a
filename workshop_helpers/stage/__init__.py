"""The talk: its scenes, rehearsed on the presenter's machine and then given live by the clock."""
