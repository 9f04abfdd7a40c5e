"""Training data, checked when it is opened: what does not fit is named with its line, before the first step."""

from training.data.captions import read_ids as read_ids
