"""The lab: a page on which one changes hyperparameters and sees what the library does.

`server.py` shows it in a browser, `widget.py` in a notebook; both answer the requests of the page
by `engine.py`.
"""
