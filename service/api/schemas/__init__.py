"""The JSON that goes in and out of the native routes, by subject."""
