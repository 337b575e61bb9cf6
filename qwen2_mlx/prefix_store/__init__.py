"""Processed documents on disk, kept by content, so that a second question starts without prefill.

`reuse.py` is the prefill that takes from the store and adds to it. `identity.py` says what
stored keys and values depend on, `lookup.py` finds what can be used, `folder.py` keeps
entries whole and within a limit, and `entry.py` is the file format.
"""
