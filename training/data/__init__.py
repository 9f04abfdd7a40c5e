"""Training data, checked when it is opened: what does not fit is named with its line, before the first step."""
