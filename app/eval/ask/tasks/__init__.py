"""What is asked about generated documents."""

#: Every task, in the order in which they are asked: the last one changes the document.
TASKS = (
    "needle", "paraphrase", "near-miss", "chain-2", "chain-3", "chain-4", "chain-5", "count", "list",
    "conflict", "absent", "follow-up", "injection", "files", "stale",
)  # fmt: skip
