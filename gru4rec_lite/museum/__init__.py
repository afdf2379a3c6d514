"""The bug museum: bugs of published implementations, each as a small switchable variant that a check must catch."""
