"""How much memory a prompt will need, known before it is read.

`plan.py` chooses what fits. The sum has three parts: weights, the key-value cache (`kv.py`,
exact) and the arrays of one pass (`workspace.py`, which replays its operations on a `tape`).
`limit.py` knows how much this machine has.
"""
