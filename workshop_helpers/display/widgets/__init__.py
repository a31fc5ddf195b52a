"""What people click: each widget stands on `base.View`, and shows a picture of itself as HTML
where widgets do not run.
"""
